"""The HTTP/1.1 server: one asyncio protocol on httptools, keep-alive, fixed and chunked bodies."""

import asyncio
import contextlib
import email.utils
import http
import logging
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from typing import cast

import httptools

from include.localcloud.clock import Clock
from include.localcloud.http import Request, Response

Handler = Callable[[Request], Awaitable[Response]]

log = logging.getLogger(__name__)

_MAX_BODY_BYTES = 2 * 1024**3
_MAX_PIPELINED = 16
_BODILESS = frozenset({204, 304})
_STATUS_LINES: dict[int, bytes] = {
    status: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in http.HTTPStatus
}


class HttpServer:
    """Answers every request on one listening socket with what `handle` returns."""

    def __init__(self, handle: Handler, clock: Clock) -> None:
        self.handle = handle
        self.connections: set[HttpConnection] = set()
        self._clock = clock
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._date_second = -1
        self._date = b""

    def bind(self, host: str, port: int) -> int:
        """Take the port, which the system chooses when `port` is 0, and return it; raise OSError if it is taken."""
        self._socket = socket.create_server((host, port), backlog=1024)
        bound: int = self._socket.getsockname()[1]
        return bound

    async def listen(self) -> None:
        """Serve on the bound port; clients that came since `bind` are answered now."""
        assert self._socket is not None, "bind before listen"
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: HttpConnection(self), sock=self._socket, backlog=1024)

    async def close(self, grace: float = 5.0) -> None:
        """Stop accepting, let requests in flight finish for `grace` seconds, then drop what is left."""
        if self._server is not None:
            self._server.close()
        elif self._socket is not None:
            self._socket.close()
        busy = [connection.task for connection in self.connections if connection.task is not None]
        if busy:
            await asyncio.wait(busy, timeout=grace)
        for connection in list(self.connections):
            connection.abort()

    def date(self) -> bytes:
        """Return the `Date` header's value, which is the clock's time: clients take "now" from it."""
        second = int(self._clock.now())
        if second != self._date_second:
            self._date_second = second
            self._date = email.utils.formatdate(second, usegmt=True).encode()
        return self._date


class HttpConnection(asyncio.Protocol):
    """One client connection; its requests are answered one after another, in order."""

    def __init__(self, server: HttpServer) -> None:
        self.task: asyncio.Task[None] | None = None
        self._server = server
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._transport: asyncio.Transport | None = None
        self._reset()

    def _reset(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._server.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            log.info("unreadable request: %s", error)
            self._refuse(400)

    def abort(self) -> None:
        """Drop the connection and whatever it is doing."""
        if self.task is not None:
            self.task.cancel()
        if self._transport is not None:
            self._transport.abort()

    # httptools callbacks

    def on_message_begin(self) -> None:
        self._reset()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        text = value.decode("latin-1")
        key = name.decode("latin-1").lower()
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        if self._headers.get("expect", "").lower() == "100-continue" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > _MAX_BODY_BYTES:
            self._body = []
            self._refuse(413)
            return
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._transport is None:
            return
        target = self._url.decode("latin-1")
        if target.startswith("http://"):  # absolute form, as through a proxy
            target = "/" + target.split("/", 3)[3] if target.count("/") > 2 else "/"
        path, _, query = target.partition("?")
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        method = self._parser.get_method().decode("latin-1")
        request = Request(method, path, query, self._headers, body)
        self._waiting.append((request, self._parser.should_keep_alive()))
        if len(self._waiting) > _MAX_PIPELINED:
            self._transport.pause_reading()
        if self.task is None:
            self.task = asyncio.get_running_loop().create_task(self._answer())

    # answering

    async def _answer(self) -> None:
        try:
            while self._waiting and self._transport is not None:
                request, keep_alive = self._waiting.popleft()
                response = await self._server.handle(request)
                if self._transport is None:
                    return
                self._write(request, response, keep_alive=keep_alive)
                if len(self._waiting) <= _MAX_PIPELINED:
                    self._transport.resume_reading()
        except Exception:
            log.exception("a handler raised")
            self._refuse(500)
        finally:
            self.task = None

    def _write(self, request: Request, response: Response, *, keep_alive: bool) -> None:
        transport = self._transport
        assert transport is not None
        head = [_STATUS_LINES.get(response.status) or f"HTTP/1.1 {response.status} -\r\n".encode()]
        has_length = False
        for name, value in response.headers.items():
            has_length = has_length or name.lower() == "content-length"
            head.append(f"{name}: {value}\r\n".encode("latin-1", "replace"))
        if not has_length and response.status not in _BODILESS:
            head.append(b"Content-Length: %d\r\n" % len(response.body))
        head.append(b"Date: " + self._server.date() + b"\r\n")
        head.append(b"\r\n" if keep_alive else b"Connection: close\r\n\r\n")
        bodiless = request.method == "HEAD" or response.status in _BODILESS
        if response.body and not bodiless:
            head.append(response.body)
        transport.writelines(head)
        if not keep_alive:
            transport.close()

    def _refuse(self, status: int) -> None:
        if self._transport is None:
            return
        with contextlib.suppress(OSError):
            self._transport.write(_STATUS_LINES[status] + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
        self._transport.close()
        self._transport = None
