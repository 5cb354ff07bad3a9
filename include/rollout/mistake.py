"""A mistake in a document, in words: pydantic's findings as people should read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.rollout.pattern import ALLOWED


def problem(error: Mapping[str, Any]) -> str:
    """Return one sentence: where in the document, what was found, what is allowed."""
    path = ".".join(str(part) for part in error["loc"]) or "the spec"
    kind = error["type"]
    if kind == "missing":
        return f"{path} is missing; it must be given"
    if kind == "extra_forbidden":
        return f"{path} is not known; check the spelling or take it out"
    if kind == "value_error":
        return f"{path}: {error['msg'].removeprefix('Value error, ')}"
    if kind == "union_tag_invalid":
        told = error["ctx"]
        return f"{path}.kind is {shown(told['tag'])}; it must be one of {told['expected_tags']}"
    if kind == "union_tag_not_found":
        return f"{path}.kind is missing; it must be given"
    if kind == "string_pattern_mismatch" and error["ctx"]["pattern"] in ALLOWED:
        return f"{path} is {shown(error['input'])}; allowed: {ALLOWED[error['ctx']['pattern']]}"
    message = error["msg"][0].lower() + error["msg"][1:]
    return f"{path} is {shown(error['input'])}; {message}"


def shown(value: object) -> str:
    """Return what was found, as short as a sentence needs it."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
