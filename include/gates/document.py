"""Plain JSON out of whatever a validation returns: no numpy, no NaN, no infinity, no surprise."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from typing import Any

_AS_IS = frozenset({str, int, bool, type(None)})


def plain(value: Any) -> Any:
    """Return `value` as JSON knows it: numbers that are not finite become None, numpy's become Python's.

    What JSON cannot hold becomes its text, so that a stored validation result never fails to be written.
    """
    kind = type(value)
    if kind in _AS_IS:  # nearly everything: a day of paired times is half a million numbers
        return value
    if kind is list:
        return [plain(part) for part in value]
    if isinstance(value, str) and not isinstance(value, Enum):
        return value
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        parts = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [plain(part) for part in parts]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        found = value.tolist()
        return plain(found) if not hasattr(found, "tolist") else str(found)
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)


def canonical(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any) -> str:
    """Return the SHA-256 of the canonical JSON text, in hexadecimal."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def raised(entry: Mapping[str, Any]) -> str | None:
    """Return what an expectation raised, by its entry in a validation result, wherever this version has put it."""
    info = entry.get("exception_info") or {}
    for found in (info, *(part for part in info.values() if isinstance(part, Mapping))):
        if found.get("raised_exception"):
            return str(found.get("exception_message") or "it raised without a message")
    return None
