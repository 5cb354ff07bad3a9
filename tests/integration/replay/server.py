"""A real HTTP server on a free port that misbehaves as it is told to."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: 4\r\n\r\n0.25"


def answer(status: int, body: bytes = b"{}", *, headers: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


@dataclass(frozen=True)
class Act:
    """What the server does with one request: bytes after a delay, then perhaps close or reset."""

    raw: bytes = OK
    delay: float = 0.0
    then: str = "keep"  # keep | close | reset


@dataclass
class Server:
    port: int
    seen: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ids(self) -> list[str]:
        return [headers["x-amzn-sagemaker-inference-id"] for headers, _ in self.seen]


class _Protocol(asyncio.Protocol):
    def __init__(self, server: Server, behaviour: Callable[[int], Act]) -> None:
        self.server, self.behaviour, self.data = server, behaviour, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.server.connections += 1

    def data_received(self, data: bytes) -> None:
        self.data += data
        while b"\r\n\r\n" in self.data:
            head, _, rest = self.data.partition(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            headers = {"": lines[0]} | {
                name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])
            }
            length = int(headers.get("content-length", "0"))
            if len(rest) < length:
                return
            self.data = rest[length:]
            self.server.seen.append((headers, rest[:length]))
            act = self.behaviour(len(self.server.seen) - 1)
            asyncio.get_running_loop().call_later(act.delay, self._act, act)

    def _act(self, act: Act) -> None:
        if self.transport.is_closing():
            return
        self.transport.write(act.raw)
        if act.then == "close":
            self.transport.close()
        elif act.then == "reset":
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()


def listen(
    behaviour: Callable[[int], Act], tls: ssl.SSLContext | None = None
) -> tuple[Server, Callable[[], None]]:
    """Start a server in a thread; each request gets what the behaviour says for its number (0, 1, …)."""
    server, ready, loop = Server(port=0), threading.Event(), asyncio.new_event_loop()

    async def run() -> None:
        listener = await loop.create_server(
            lambda: _Protocol(server, behaviour), "127.0.0.1", 0, ssl=tls, backlog=512
        )
        server.port = listener.sockets[0].getsockname()[1]
        ready.set()

    starting = loop.create_task(run())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    if not ready.wait(60):
        starting.result()

    def stop() -> None:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()

    return server, stop
