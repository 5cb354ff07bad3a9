"""One keep-alive connection from the gateway to an instance: HTTP/1.1, one request at a time."""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import httptools

LARGEST_BODY = 6_291_456  # bytes of a request or an answer: InvokeEndpoint's limit in the service model


class ExchangeError(Exception):
    """The instance gave no whole answer; the text says why, as AWS puts it to the caller."""


class InstanceTimeoutError(ExchangeError):
    """The instance did not answer in time."""


class Reply(NamedTuple):
    """What an instance answered."""

    status: int
    headers: dict[bytes, bytes]  # names lower-cased
    body: bytes


Outcome = Reply | ExchangeError
Finished = Callable[[Outcome], None]  # must not raise: nobody is there to hear of it


class Connection(asyncio.Protocol):
    """Calls back once per request; `on_idle` takes the connection back before that, if it can be used again.

    No future and no task is made for a request, and one timer serves many: each would cost as much as the parser does.
    """

    def __init__(
        self, on_idle: Callable[["Connection"], None], on_lost: Callable[["Connection"], None]
    ) -> None:
        self._on_idle, self._on_lost = on_idle, on_lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser: Any = httptools.HttpResponseParser(self)
        self._finished: Finished | None = None  # of the request under way
        self._reply: Reply | None = None  # whole, and not handed over yet
        self._reusable = True
        self._deadline = 0.0  # of the request under way, in the loop's time
        self._timer: asyncio.TimerHandle | None = (
            None  # looks at the deadline; it may be set for an earlier one
        )
        self._timer_at = 0.0
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._size = 0

    def send(self, payload: bytes, timeout: float, finished: Finished) -> None:
        """Send one whole request; `finished` is called later, with an ExchangeError if no whole answer came in time."""
        if self._transport is None:
            self._loop.call_soon(finished, ExchangeError("the connection to the container was closed"))
            return
        self._finished = finished
        self._deadline = self._loop.time() + timeout
        if self._timer is None or self._deadline < self._timer_at:
            self._watch()
        self._transport.write(payload)

    def close(self) -> None:
        """Close without waiting; a pending request fails."""
        if self._transport is not None:
            self._transport.close()

    def _watch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = self._loop.call_at(self._deadline, self._look), self._deadline

    def _look(self) -> None:
        self._timer = None
        if self._finished is None:
            return
        if self._loop.time() < self._deadline:
            self._watch()
            return
        self._finish(
            InstanceTimeoutError(
                "Your invocation timed out while waiting for a response from container primary. Review the "
                "latency metrics for each container in Amazon CloudWatch, resolve the issue, and try again."
            )
        )
        self.close()  # a late answer must not be taken for the next request's

    def _finish(self, outcome: Outcome) -> None:
        finished, self._finished = self._finished, None
        if finished is not None:
            finished(outcome)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class, not a subclass

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._finish(ExchangeError("the container closed the connection without an answer"))
        self._on_lost(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._finish(ExchangeError(f"the container's answer is no HTTP: {error}"))
            self.close()
            return
        reply, self._reply = self._reply, None
        if reply is None:
            return
        if self._finished is not None and self._reusable:
            self._on_idle(self)
        else:
            self.close()
        self._finish(reply)

    def on_message_begin(self) -> None:
        self._headers, self._body, self._size = {}, [], 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size <= LARGEST_BODY:
            self._body.append(body)
            return
        self._finish(
            ExchangeError(f"the container's answer has more than the {LARGEST_BODY} bytes that are allowed")
        )
        self.close()

    def on_message_complete(self) -> None:
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._reply = Reply(self._parser.get_status_code(), self._headers, body)
        self._reusable = self._parser.should_keep_alive()
