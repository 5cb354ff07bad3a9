"""What an instance is told to do with one request, beside answering it: the wire form of an injected fault."""

import re
from dataclasses import dataclass

from include.localcloud.runtime.container.answer import Answer

HEADER = b"x-local-orders"  # from the gateway only: it forwards none of a caller's headers by this name
_NUMBER = re.compile(rb"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """Wait, fail, lie; the default is none of them."""

    wait: float = 0.0  # seconds more than the answer takes
    status: int = 0  # with which to fail; 0 is not to
    wrong: bool = False

    @classmethod
    def read(cls, text: bytes) -> "Orders":
        """Return what `text` wrote."""
        wait, status, wrong = text.split(b" ")
        return cls(wait=float(wait), status=int(status), wrong=wrong == b"1")

    def text(self) -> bytes:
        """Return the header's value."""
        return b"%b %d %d" % (repr(self.wait).encode(), self.status, self.wrong)


def wronged(answer: Answer) -> Answer:
    """Return the answer with every number x in its text replaced by 1 - x; one that is no text stays."""
    textual = answer.content_type.startswith(("text/", "application/json"))
    if not textual or not 200 <= answer.status < 300:
        return answer
    return Answer(answer.status, _NUMBER.sub(_other, answer.body), answer.content_type)


def _other(match: re.Match[bytes]) -> bytes:
    text = match[0]
    return str(1 - int(text) if text.lstrip(b"-").isdigit() else 1.0 - float(text)).encode()
