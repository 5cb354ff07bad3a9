"""Opening a connection to a target, directly or through a proxy's CONNECT."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import ssl
from urllib.parse import unquote, urlsplit

from include.replay.connection import Connection
from include.replay.stream import SecureStream, Stream, Watch
from include.replay.target import Target

_ANSWER_LIMIT = 16 * 1024


async def dial(target: Target, tls: ssl.SSLContext | None, connection: Connection, watch: Watch) -> None:
    """Connect `connection` to the target; certificates are verified against the target's own name.

    Raises OSError (of which ssl.SSLError and a proxy's refusal are kinds).
    """
    host = target.url.hostname or ""
    sock = await (_tunnel(target.proxy, host, target.port) if target.proxy else _reach(host, target.port))
    try:
        if tls is None:
            connection.open(Stream(sock, connection, watch))
        else:
            connection.open(SecureStream(sock, connection, watch, *await _handshake(sock, tls, host)))
    except BaseException:
        sock.close()
        raise


async def _reach(host: str, port: int) -> socket.socket:
    """Connect to the first of the host's addresses that answers."""
    loop = asyncio.get_running_loop()
    failed: OSError = ConnectionError(f"{host} has no address")
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failed = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failed


async def _handshake(
    sock: socket.socket, context: ssl.SSLContext, host: str
) -> tuple[ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO]:
    loop = asyncio.get_running_loop()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=host)
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            await loop.sock_sendall(sock, outgoing.read())
            more = await loop.sock_recv(sock, _ANSWER_LIMIT)
            if not more:
                raise ssl.SSLEOFError("the target closed the connection instead of a TLS handshake") from None
            incoming.write(more)
        except ssl.SSLError:
            with contextlib.suppress(OSError):
                await loop.sock_sendall(sock, outgoing.read())  # the alert that says why
            raise
        else:
            await loop.sock_sendall(sock, outgoing.read())
            return tls, incoming, outgoing


async def _tunnel(proxy: str, host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    parts = urlsplit(proxy)
    sock = await _reach(parts.hostname or "", parts.port or 3128)
    try:
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
        if parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            lines.append(f"Proxy-Authorization: Basic {base64.b64encode(user.encode()).decode()}")
        await loop.sock_sendall(sock, ("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = b""
        while b"\r\n\r\n" not in answer and len(answer) < _ANSWER_LIMIT:
            more = await loop.sock_recv(sock, 4096)
            if not more:
                break
            answer += more
        status = answer.split(b"\r\n", 1)[0].split(b" ")
        if len(status) < 2 or status[1] != b"200" or not answer.endswith(b"\r\n\r\n"):
            said = answer.split(b"\r\n", 1)[0][:80].decode("latin-1")
            msg = f"the proxy {parts.hostname}:{parts.port} answered {said!r} to CONNECT; it must answer 200"
            raise ConnectionError(msg)
    except BaseException:
        sock.close()
        raise
    return sock
