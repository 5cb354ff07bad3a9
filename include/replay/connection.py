"""One keep-alive connection that carries one request at a time and says what became of it."""

from __future__ import annotations

import re
from typing import Protocol

import httptools

from include.replay.account import FailureKind
from include.replay.heads import Heads
from include.replay.stream import Stream

IDLE = -1
"""The index of a connection that carries no request."""

_KEPT_HEAD = 16 * 1024
_ERROR_TYPE = re.compile(rb"\r\nx-amzn-errortype:[^\r\n]*throttl", re.IGNORECASE)
_HAS_LENGTH = re.compile(rb"\r\n(content-length|transfer-encoding):", re.IGNORECASE)


class Owner(Protocol):
    """Who hears what became of a request and of a connection."""

    def ended(self, connection: Connection, status: int, failure: FailureKind | None) -> None:
        """Hear of the outcome of the request that the connection carried; it is idle now."""
        ...

    def lost(self, connection: Connection) -> None:
        """Hear that the connection is closed; may come twice."""
        ...


class Connection:
    """What is known of one connection and of the request that it carries; a `Receiver` of its stream."""

    __slots__ = (
        "_answers",
        "_begun",
        "_heads",
        "_keep_alive",
        "_kept",
        "_owner",
        "_parser",
        "_status",
        "_stream",
        "idle_since",
        "index",
        "scheduled",
        "send",
        "sent",
        "usable",
    )

    def __init__(self, owner: Owner, heads: Heads) -> None:
        self._owner = owner
        self._heads = heads
        self._parser = httptools.HttpResponseParser(self)
        self._kept = b""  # the answer's first bytes, where it did not come in one read
        self._begun = False  # has an answer begun that has not ended?
        self._answers = 0  # that ended in the read at hand
        self._status = 0
        self._keep_alive = True
        self._stream: Stream | None = None
        self.usable = False  # may another request be sent here?
        self.index = IDLE
        self.scheduled = 0.0  # seconds of time.monotonic(), as the two below
        self.sent = 0.0
        self.idle_since = 0.0

    def open(self, stream: Stream) -> None:
        """Carry requests over this stream from now on: `send` writes one, whose outcome the owner hears once."""
        self._stream = stream
        self.send = stream.send
        self.usable = True

    def received(self, read: bytes) -> None:
        """Read on in the answer, and tell the owner if it ends here."""
        if not self._kept and self.index != IDLE and (status := self._heads.status(read)):
            self._owner.ended(self, status, None)  # nearly always, and 0.7 µs less than by the parser
            return
        try:
            self._parser.feed_data(read)
        except httptools.HttpParserError:
            if self._answers == 0:
                self.abort(FailureKind.CONNECTION)
                return
            self._keep_alive = False  # what follows the answer is no HTTP; the answer counts
        answers, self._answers = self._answers, 0
        if answers == 0:
            if len(self._kept) < _KEPT_HEAD:
                self._kept += read[:_KEPT_HEAD]
            return
        if answers > 1 or self._begun or not self._keep_alive or self.index == IDLE:
            self.close()  # after an answer that nobody asked for, no later one can be trusted
        if self.index == IDLE:
            return
        if self.usable and not self._kept and 200 <= self._status < 300:
            self._heads.learn(read, self._status)
        self._answered(read)

    def on_message_begin(self) -> None:
        self._begun = True

    def on_message_complete(self) -> None:
        self._begun = False
        status = self._parser.get_status_code()
        if status >= 200:  # 100 Continue and its kind only announce an answer
            self._answers += 1
            self._status = status
            self._keep_alive = self._parser.should_keep_alive()

    def lost(self, error: OSError | None) -> None:
        """Close a stream that has ended or is broken; its request ends with it."""
        self.close()
        if self.index == IDLE:
            return
        if error is None and b"\r\n\r\n" in self._kept and not _HAS_LENGTH.search(self._kept):
            self._status = self._parser.get_status_code()
            self._answered(b"")  # a body may end where the connection ends
        else:
            self._owner.ended(self, 0, FailureKind.CONNECTION)

    def abort(self, failure: FailureKind) -> None:
        """Close the connection; its request, if any, ends with this failure."""
        self.close()
        if self.index != IDLE:
            self._owner.ended(self, 0, failure)

    def close(self) -> None:
        """Close the connection, and say so to the owner; a request under way is still to be ended."""
        self.usable = False
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        self._owner.lost(self)

    def _answered(self, read: bytes) -> None:
        status, kept = self._status, self._kept
        if kept:
            self._kept = b""
        if 200 <= status < 300:
            self._owner.ended(self, status, None)
        else:
            self._owner.ended(self, status, _failure(status, kept + read))


def _failure(status: int, answer: bytes) -> FailureKind:
    """Name the failure; SageMaker throttles with 429, AWS in general with 400 and an error type."""
    if status == 424:
        return FailureKind.MODEL_ERROR
    if status == 429 or (status == 400 and _ERROR_TYPE.search(answer)):
        return FailureKind.THROTTLED
    if status >= 500:
        return FailureKind.SERVER_ERROR
    return FailureKind.CLIENT_ERROR
