"""One keep-alive connection from the gateway to an instance: HTTP/1.1, one request at a time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import httptools


class ExchangeError(Exception):
    """The instance gave no whole answer; the text says why, as AWS puts it to the caller."""


class InstanceTimeoutError(ExchangeError):
    """The instance did not answer in time."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What an instance answered."""

    status: int
    headers: dict[bytes, bytes]  # names lower-cased
    body: bytes


class Connection(asyncio.Protocol):
    """Resolves one future per request; `on_idle` hands the connection back after each whole answer."""

    def __init__(
        self, on_idle: Callable[["Connection"], None], on_lost: Callable[["Connection"], None]
    ) -> None:
        self._on_idle, self._on_lost = on_idle, on_lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser: Any = httptools.HttpResponseParser(self)
        self._pending: asyncio.Future[Reply] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []

    def send(self, payload: bytes, timeout: float) -> asyncio.Future[Reply]:
        """Send one whole request; the future raises ExchangeError when no whole answer comes in `timeout` s."""
        future: asyncio.Future[Reply] = self._loop.create_future()
        if self._transport is None:
            future.set_exception(ExchangeError("the connection to the container was closed"))
            return future
        self._pending = future
        self._timer = self._loop.call_later(timeout, self._expire)
        self._transport.write(payload)
        return future

    def close(self) -> None:
        """Close without waiting; a pending request fails."""
        if self._transport is not None:
            self._transport.close()

    def _expire(self) -> None:
        self._finish(
            InstanceTimeoutError(
                "Your invocation timed out while waiting for a response from container primary. Review the "
                "latency metrics for each container in Amazon CloudWatch, resolve the issue, and try again."
            )
        )
        self.close()  # a late answer must not be taken for the next request's

    def _finish(self, outcome: Reply | ExchangeError) -> None:
        future, self._pending = self._pending, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if future is None or future.done():
            return
        if isinstance(outcome, Reply):
            future.set_result(outcome)
        else:
            future.set_exception(outcome)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class, not a subclass

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._finish(ExchangeError("the container closed the connection without an answer"))
        self._on_lost(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._finish(ExchangeError(f"the container's answer is no HTTP: {error}"))
            self.close()

    def on_message_begin(self) -> None:
        self._headers, self._body = {}, []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        parser = self._parser
        waiting = self._pending is not None and not self._pending.done()
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._finish(Reply(parser.get_status_code(), self._headers, body))
        if waiting and parser.should_keep_alive():
            self._on_idle(self)
        else:
            self.close()
