"""The container contract, GET /ping and POST /invocations, on one unix socket."""

import asyncio
import time
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

import httptools

from include.localcloud.runtime.container.alarm import Alarm
from include.localcloud.runtime.container.answer import Answer, Program
from include.localcloud.runtime.container.behaviour import Behaviour
from include.localcloud.runtime.container.orders import HEADER, Orders, wronged

# How the instance tells the gateway, in microseconds, how long it took; never passed on to a caller.
LATENCY_HEADER = "x-local-model-latency"
_NO_ORDERS = Orders()
_REASONS = {status.value: status.phrase for status in HTTPStatus}


class Conversation(asyncio.Protocol):
    """One keep-alive connection: one request at a time, answered in order."""

    def __init__(self, program: Program, behaviour: Behaviour, alarm: Alarm) -> None:
        self._program, self._behaviour, self._alarm = program, behaviour, alarm
        self._transport: asyncio.Transport | None = None
        self._parser: Any = httptools.HttpRequestParser(self)
        self._url, self._body = b"", b""
        self._headers: dict[bytes, bytes] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class, not a subclass

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if self._transport is not None:
                self._transport.close()

    def on_message_begin(self) -> None:
        self._url, self._body, self._headers = b"", b"", {}

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        """Time the model from the last byte received to the answer written, its waiting included."""
        start = time.monotonic()
        route = (self._parser.get_method(), self._url)
        if route == (b"GET", b"/ping"):
            self._write(Answer(200), start)
        elif route == (b"POST", b"/invocations"):
            self._invoke(start)
        else:
            self._write(Answer(404, b"only GET /ping and POST /invocations are served here"), start)

    def _invoke(self, start: float) -> None:
        inference_id = self._text(b"x-amzn-sagemaker-inference-id")
        wait = self._behaviour.service_time(inference_id, self._body)
        orders = Orders.read(self._headers[HEADER]) if HEADER in self._headers else _NO_ORDERS
        if orders.status:
            answer = Answer(orders.status, b"the container was told to fail (an injected fault)")
        elif self._behaviour.fails():
            answer = Answer(
                self._behaviour.error_status, b"the container was told to fail (LOCAL_ERROR_SHARE)"
            )
        else:
            try:
                answer = self._program.invoke(self._body, self._text(b"content-type"), self._text(b"accept"))
            except Exception as error:  # a model's own mistake is the instance's 500, as in any container
                answer = Answer(500, f"{type(error).__name__}: {error}".encode())
        if orders.wrong:
            answer = wronged(answer)
        # What the model itself took comes out of its declared service time; an injected delay comes on top.
        wait = max(wait, time.monotonic() - start) + orders.wait if orders.wait else wait
        if wait > time.monotonic() - start:
            self._alarm.call_at(start + wait, partial(self._write, answer, start))
        else:
            self._write(answer, start)

    def _text(self, name: bytes) -> str:
        return self._headers.get(name, b"").decode("latin-1")

    def _write(self, answer: Answer, start: float) -> None:
        if self._transport is None:
            return  # the gateway gave up on this request
        reason = _REASONS.get(answer.status, "Unknown")
        # 204 carries no body and therefore no length (RFC 9110, 8.6).
        length = "" if answer.status == HTTPStatus.NO_CONTENT else f"content-length: {len(answer.body)}\r\n"
        latency = (time.monotonic() - start) * 1e6
        head = (
            f"HTTP/1.1 {answer.status} {reason}\r\ncontent-type: {answer.content_type}\r\n"
            f"{length}{LATENCY_HEADER}: {latency:.1f}\r\n\r\n"
        )
        self._transport.write(head.encode("latin-1") + answer.body)


async def serve(socket: Path, program: Program, behaviour: Behaviour) -> asyncio.AbstractServer:
    """Listen on `socket`; the server runs until it is closed."""
    loop = asyncio.get_running_loop()
    alarm = Alarm(loop)
    return await loop.create_unix_server(
        lambda: Conversation(program, behaviour, alarm), path=str(socket), backlog=1024
    )
