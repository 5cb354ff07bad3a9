"""One keep-alive connection that carries one request at a time and says what became of it."""

from __future__ import annotations

import asyncio
import re
from typing import Protocol, cast

import httptools

from include.replay.account import FailureKind

IDLE = -1
"""The index of a connection that carries no request."""

_BUFFER = bytearray(256 * 1024)
_VIEW = memoryview(_BUFFER)
_KEPT_HEAD = 16 * 1024
_ERROR_TYPE = re.compile(rb"\r\nx-amzn-errortype:[^\r\n]*throttl", re.IGNORECASE)
_HAS_LENGTH = re.compile(rb"\r\n(content-length|transfer-encoding):", re.IGNORECASE)


class Owner(Protocol):
    """Who hears what became of a request and of a connection."""

    def ended(self, connection: Connection, status: int, failure: FailureKind | None) -> None:
        """Hear of the outcome of the request that the connection carried; it is idle now."""
        ...

    def lost(self, connection: Connection) -> None:
        """Hear that the connection is gone; its request, if any, has ended before."""
        ...


class Connection(asyncio.BufferedProtocol):
    """Reads into one buffer that all connections share: data is used up before the next read.

    (A plain asyncio.Protocol gets a fresh 256 KB bytes object for every TLS read.)
    """

    __slots__ = (
        "_answers",
        "_keep_alive",
        "_kept",
        "_owner",
        "_parser",
        "_status",
        "idle_since",
        "index",
        "scheduled",
        "sent",
        "transport",
        "usable",
    )

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._parser = httptools.HttpResponseParser(self)
        self._kept = b""  # the answer's first bytes, where it did not come in one read
        self._answers = 0  # that ended in the read at hand
        self._status = 0
        self._keep_alive = True
        self.transport: asyncio.Transport | None = None
        self.usable = False  # may another request be sent here?
        self.index = IDLE
        self.scheduled = 0.0  # seconds of time.monotonic(), as the two below
        self.sent = 0.0
        self.idle_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.usable = True

    def send(self, message: bytes) -> None:
        """Write one request; the outcome comes to the owner exactly once."""
        assert self.transport is not None
        self.transport.write(message)

    def get_buffer(self, sizehint: int) -> memoryview:
        return _VIEW

    def buffer_updated(self, nbytes: int) -> None:
        read = _VIEW[:nbytes]
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
        if answers > 1 or not self._keep_alive or self.index == IDLE:
            self.close()  # after an answer that nobody asked for, no later one can be trusted
        if self.index != IDLE:
            self._answered(read)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:  # 100 Continue and its kind only announce an answer
            self._answers += 1
            self._status = status
            self._keep_alive = self._parser.should_keep_alive()

    def eof_received(self) -> None:
        self.usable = False

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        if self.index != IDLE:
            if exc is None and b"\r\n\r\n" in self._kept and not _HAS_LENGTH.search(self._kept):
                self._status = self._parser.get_status_code()
                self._answered(b"")  # a body may end where the connection ends
            else:
                self._owner.ended(self, 0, FailureKind.CONNECTION)
        self._owner.lost(self)

    def abort(self, failure: FailureKind) -> None:
        """Cut the connection; its request, if any, ends with this failure."""
        self.usable = False
        if self.transport is not None:
            self.transport.abort()
        if self.index != IDLE:
            self._owner.ended(self, 0, failure)

    def close(self) -> None:
        """Close the connection once what was written is sent."""
        self.usable = False
        if self.transport is not None:
            self.transport.close()

    def _answered(self, read: memoryview | bytes) -> None:
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
