"""One HTTP exchange as values: what the server hands to a service and what it gets back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, whole and undecoded."""

    method: str
    path: str  # raw, still percent-encoded, without the query
    query: str  # raw, without the question mark; "" when there is none
    headers: Mapping[str, str]  # names lower-cased
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response; the server adds Content-Length, Date and Connection."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


Respond = Callable[[Response], None]
