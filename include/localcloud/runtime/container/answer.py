"""What a program inside an instance answers, and the shape every program has."""

from dataclasses import dataclass
from typing import Protocol

CSV_ANSWER = "text/csv; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to POST /invocations."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"


class Program(Protocol):
    """A loaded model that answers invocations one at a time, without waiting for anything."""

    def invoke(self, body: bytes, content_type: str, accept: str) -> Answer:
        """Answer one invocation; a bad request is an answer too, an exception becomes a 500."""
        ...
