"""The HTTP server: framing, keep-alive, pipelining, and nobody lost when it closes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from include.localcloud.clock import Clock
from include.localcloud.http import Request, Respond, Response
from include.localcloud.server import HttpServer

Client = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[Any]]


async def echo(request: Request) -> Response:
    if request.path == "/slow":
        await asyncio.sleep(0.05)
    if request.path == "/raise":
        raise RuntimeError("boom")
    if request.path == "/none":
        return Response(204)
    said = f"{request.method} {request.path}?{request.query} ".encode() + request.body
    return Response(200, {"X-Seen": request.headers.get("x-mark", "")}, said)


def at_once_or_later(request: Request, respond: Respond) -> bool:
    """Take what is below /taken, and respond to it on the spot, or after a while, or never."""
    if not request.path.startswith("/taken"):
        return False
    if request.path == "/taken/raise":
        raise RuntimeError("boom")
    response = Response(200, {}, b"taken " + request.path.encode())
    if request.path == "/taken/later":
        asyncio.get_running_loop().call_later(0.02, respond, response)
    else:
        respond(response)
    return True


def served(client: Client) -> Any:
    async def run() -> Any:
        server = HttpServer(echo, Clock(), at_once_or_later)
        port = server.bind("127.0.0.1", 0)
        await server.listen()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            return await asyncio.wait_for(client(reader, writer), 10)
        finally:
            writer.close()
            await server.close()

    return asyncio.run(run())


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    return int(head[0].split()[1]), headers, await reader.readexactly(int(headers.get("content-length", 0)))


def exchange(*requests: bytes, answers: int | None = None) -> list[tuple[int, dict[str, str], bytes]]:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Any:
        writer.write(b"".join(requests))
        return [await answer(reader) for _ in range(answers or len(requests))]

    result: list[tuple[int, dict[str, str], bytes]] = served(client)
    return result


def test_a_request_arrives_whole_and_undecoded() -> None:
    request = (
        b"PUT /a%2Fb?q=%20 HTTP/1.1\r\nHost: h\r\nX-Mark: 1\r\nX-Mark: 2\r\nContent-Length: 4\r\n\r\nbody"
    )
    ((status, headers, body),) = exchange(request)
    assert (status, body) == (200, b"PUT /a%2Fb?q=%20 body")
    assert headers["x-seen"] == "1, 2"
    assert headers["date"].endswith("gmt")


def test_a_chunked_body_is_joined() -> None:
    request = b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    assert exchange(request)[0][2] == b"POST /c? abcde"


def test_pipelined_requests_are_answered_in_order() -> None:
    paths = [b"/slow", b"/2", b"/slow", b"/4"] * 10
    answers = exchange(*(b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n" % path for path in paths))
    assert [body.split(b"?")[0] for _, _, body in answers] == [b"GET " + path for path in paths]


def test_requests_that_need_no_task_are_answered_in_order_between_the_others() -> None:
    paths = [b"/taken/1", b"/slow", b"/taken/later", b"/2", b"/taken/3"] * 8
    answers = exchange(*(b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n" % path for path in paths))
    expected = [b"taken " + path if path.startswith(b"/taken") else b"GET " + path for path in paths]
    assert [body.split(b"?")[0] for _, _, body in answers] == expected


def test_a_thousand_pipelined_requests_that_are_answered_at_once_are_no_deep_recursion() -> None:
    answers = exchange(b"GET /taken HTTP/1.1\r\n\r\n" * 1000, answers=1000)
    assert [body for _, _, body in answers] == [b"taken /taken"] * 1000


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 5_000_000])
def test_bodies_of_any_size_come_back_whole(size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    head = b"PUT /b HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size
    assert exchange(head + body)[0][2] == b"PUT /b? " + body


def test_a_client_that_waits_for_100_continue_gets_it_first() -> None:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Any:
        writer.write(b"PUT /k HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ok")
        return await answer(reader)

    assert served(client)[2] == b"PUT /k? ok"


def test_heads_and_empty_answers_have_no_body() -> None:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Any:
        writer.write(
            b"HEAD /x HTTP/1.1\r\n\r\nGET /none HTTP/1.1\r\n\r\nGET /y HTTP/1.1\r\nConnection: close\r\n\r\n"
        )
        return await reader.read()

    raw: bytes = served(client)
    first, second, third, body = raw.split(b"\r\n\r\n")
    assert b"Content-Length: 9" in first
    assert second.startswith(b"HTTP/1.1 204")
    assert b"Content-Length" not in second
    assert b"Connection: close" in third
    assert body == b"GET /y? "


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /raise HTTP/1.1\r\n\r\n", 500),
        (b"GET /taken/raise HTTP/1.1\r\n\r\n", 500),
    ],
)
def test_what_cannot_be_answered_ends_the_connection(request_: bytes, status: int) -> None:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Any:
        writer.write(request_)
        return await reader.read()

    assert served(client).startswith(b"HTTP/1.1 %d" % status)


@pytest.mark.parametrize(
    ("path", "said"), [(b"/slow", b"GET /slow? "), (b"/taken/later", b"taken /taken/later")]
)
def test_closing_lets_a_request_in_flight_finish(path: bytes, said: bytes) -> None:
    async def run() -> bytes:
        server = HttpServer(echo, Clock(), at_once_or_later)
        port = server.bind("127.0.0.1", 0)
        await server.listen()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET %s HTTP/1.1\r\n\r\n" % path)
        await asyncio.sleep(0.01)
        closing = asyncio.ensure_future(server.close())
        _, _, body = await answer(reader)
        await closing
        writer.close()
        return body

    assert asyncio.run(run()) == said
