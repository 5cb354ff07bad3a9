"""Opening a connection to a target, directly or through a proxy's CONNECT."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from urllib.parse import unquote, urlsplit

from include.replay.connection import Connection
from include.replay.target import Target

_ANSWER_LIMIT = 16 * 1024


async def dial(target: Target, tls: ssl.SSLContext | None, connection: Connection) -> None:
    """Connect `connection` to the target; certificates are verified against the target's own name.

    Raises OSError (of which ssl.SSLError and a proxy's refusal are kinds).
    """
    loop = asyncio.get_running_loop()
    host = target.url.hostname or ""
    if target.proxy is None:
        await loop.create_connection(lambda: connection, host, target.port, ssl=tls)
        return
    sock = await _tunnel(loop, target.proxy, host, target.port)
    try:
        name = host if tls is not None else None
        await loop.create_connection(lambda: connection, sock=sock, ssl=tls, server_hostname=name)
    except BaseException:
        sock.close()
        raise


async def _tunnel(loop: asyncio.AbstractEventLoop, proxy: str, host: str, port: int) -> socket.socket:
    parts = urlsplit(proxy)
    address = (await loop.getaddrinfo(parts.hostname, parts.port or 3128, type=socket.SOCK_STREAM))[0]
    sock = socket.socket(address[0], socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        await loop.sock_connect(sock, address[4])
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
