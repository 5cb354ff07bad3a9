"""The pages' own files, and Plotly's JavaScript out of its Python package: nothing is fetched from elsewhere."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from functools import cache
from importlib.resources import files
from pathlib import Path

PLOTLY = "plotly.min.js"
# Plotly adds its rules to an empty <style>; this is the digest of "nothing", so only empty ones are let through.
EMPTY_STYLE = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"

_OWN = Path(__file__).parent / "static"
_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
NAMES = (*sorted(path.name for path in _OWN.iterdir() if path.suffix[1:] in _TYPES), PLOTLY)


@cache
def source(name: str) -> str:
    """Return the text of one of NAMES; another name is a KeyError, whatever the folder may hold."""
    if name not in NAMES:
        raise KeyError(name)
    if name == PLOTLY:
        return (files("plotly") / "package_data" / PLOTLY).read_text(encoding="utf-8")
    return (_OWN / name).read_text(encoding="utf-8")


def media_type(name: str) -> str:
    """Return the content type of one of NAMES."""
    return _TYPES[name.rpartition(".")[2]]


@cache
def compressed(name: str) -> bytes:
    """Return one of NAMES gzipped, always the same bytes: Plotly is 4.8 MB plain and 1.5 MB so."""
    return gzip.compress(source(name).encode(), compresslevel=9, mtime=0)


@cache
def version(name: str) -> str:
    """Return a few characters that change when the file does: a URL that carries them may be kept for ever."""
    return hashlib.sha256(source(name).encode()).hexdigest()[:12]


@cache
def digest(name: str) -> str:
    """Return the CSP source expression that lets exactly this file run when it stands inline."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source(name).encode()).digest()).decode()}'"


@cache
def plotly_sheets() -> tuple[str, ...]:
    """Return the element ids under which Plotly's map library would put a style sheet of its own.

    It does so on loading, maps or not, unless the ids are taken; a page that takes them needs no exception for it.
    """
    return tuple(sorted(set(re.findall(r'getElementById\("([0-9a-f]{64})"\)', source(PLOTLY)))))


@cache
def packed_plotly() -> str:
    """Return Plotly as base64 of its gzip, as the stored report carries it (2 MB instead of 4.8)."""
    return base64.b64encode(compressed(PLOTLY)).decode()
