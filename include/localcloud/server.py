"""The HTTP/1.1 server: one asyncio protocol on httptools, keep-alive, fixed and chunked bodies."""

import asyncio
import contextlib
import email.utils
import http
import logging
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import cast

import httptools

from include.localcloud.clock import Clock
from include.localcloud.http import Request, Respond, Response

Handler = Callable[[Request], Awaitable[Response]]
Beginner = Callable[[Request, Respond], bool]  # whether it took the request and will respond, or has done so

log = logging.getLogger(__name__)

_MAX_BODY_BYTES = 2 * 1024**3
_MAX_PIPELINED = 16
_POLL_SECONDS = 0.01
# A body up to this goes out in one piece with its head, a larger one is not copied for it.
_COPIED_BYTES = 65536
_BODILESS = frozenset({204, 304})
_STATUS_LINES: dict[int, bytes] = {
    status: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in http.HTTPStatus
}


class HttpServer:
    """Answers every request on one listening socket with what `begin` responds or else `handle` returns.

    `begin` is for requests that come by the thousand: it is a plain call, where `handle` runs in a task of its own.
    """

    def __init__(
        self, handle: Handler, clock: Clock, begin: Beginner = lambda _request, _respond: False
    ) -> None:
        self.handle, self.begin = handle, begin
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
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace
        while any(connection.busy for connection in self.connections) and loop.time() < deadline:
            await asyncio.sleep(_POLL_SECONDS)
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
        self.busy = False  # a request is being answered
        self._task: asyncio.Task[None] | None = None  # which does it, where one is needed
        self._answering = False  # on the stack now: who responds at once need not answer the next from there
        self._paused = False
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
        else:
            self._answer()

    def abort(self) -> None:
        """Drop the connection and whatever it is doing."""
        if self._task is not None:
            self._task.cancel()
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
        if len(self._waiting) > _MAX_PIPELINED and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    # answering

    def _answer(self) -> None:
        """Answer what waits, one after another; returns when one of them takes its time."""
        if self._answering:
            return
        self._answering = True
        try:
            while self._waiting and not self.busy and self._transport is not None:
                request, keep_alive = self._waiting.popleft()
                self.busy = True
                respond = partial(self._respond, request, keep_alive)
                if not self._server.begin(request, respond):
                    self._task = asyncio.get_running_loop().create_task(self._handle(request, respond))
        except Exception:
            log.exception("a request could not be begun")
            self._refuse(500)
        finally:
            self._answering = False

    async def _handle(self, request: Request, respond: Respond) -> None:
        try:
            respond(await self._server.handle(request))
        except Exception:
            log.exception("a handler raised")
            self._refuse(500)

    def _respond(self, request: Request, keep_alive: bool, response: Response) -> None:
        self.busy = False
        transport = self._transport
        if transport is None:
            return
        self._write(transport, request, response, keep_alive=keep_alive)
        if self._paused and len(self._waiting) <= _MAX_PIPELINED:
            self._paused = False
            transport.resume_reading()
        if self._waiting:
            self._answer()

    def _write(
        self, transport: asyncio.Transport, request: Request, response: Response, *, keep_alive: bool
    ) -> None:
        head = ""
        has_length = False
        for name, value in response.headers.items():
            has_length = has_length or name.lower() == "content-length"
            head += f"{name}: {value}\r\n"
        if not has_length and response.status not in _BODILESS:
            head += f"Content-Length: {len(response.body)}\r\n"
        status = _STATUS_LINES.get(response.status) or f"HTTP/1.1 {response.status} -\r\n".encode()
        end = b"\r\n\r\n" if keep_alive else b"\r\nConnection: close\r\n\r\n"
        bodiless = request.method == "HEAD" or response.status in _BODILESS
        body = b"" if bodiless else response.body
        parts = (status, head.encode("latin-1", "replace"), b"Date: ", self._server.date(), end, body)
        if len(body) <= _COPIED_BYTES:
            transport.write(b"".join(parts))
        else:
            transport.writelines(parts)
        if not keep_alive:
            transport.close()

    def _refuse(self, status: int) -> None:
        if self._transport is None:
            return
        with contextlib.suppress(OSError):
            self._transport.write(_STATUS_LINES[status] + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
        self._transport.close()
        self._transport = None
