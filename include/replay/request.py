"""One request to be sent, byte for byte."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A body and its content type, as they were; `recorded` is when it was first seen."""

    body: bytes
    content_type: str | None = None  # None: the target's
    recorded: float | None = None  # epoch seconds
    origin: str = ""  # the inference id, or the file and line, that it came from
