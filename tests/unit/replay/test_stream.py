"""What is ready at one time is heard together, and only then does anybody act on it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from include.replay.stream import Stream, Watch


class Ear:
    """Writes down what it hears, and may close another stream in the middle of it."""

    def __init__(self, heard: list[str], name: str, then: Callable[[], None] = lambda: None) -> None:
        self.heard, self.name, self.then = heard, name, then

    def received(self, read: bytes) -> None:
        self.heard.append(f"{self.name}: {read.decode()}")
        self.then()

    def lost(self, error: OSError | None) -> None:
        self.heard.append(f"{self.name} lost")


def pairs(count: int) -> list[tuple[socket.socket, socket.socket]]:
    made = [socket.socketpair() for _ in range(count)]
    for ours, _ in made:
        ours.setblocking(False)
    return made


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not done():
            await asyncio.sleep(0)


def test_all_that_can_be_read_is_read_before_anybody_acts() -> None:
    async def play() -> list[str]:
        heard: list[str] = []
        watch = Watch(asyncio.get_running_loop(), lambda: heard.append("after"))
        sockets = pairs(3)
        streams = [Stream(ours, Ear(heard, str(n)), watch) for n, (ours, _) in enumerate(sockets)]
        for _, theirs in sockets:
            theirs.send(b"x")
        await until(lambda: "after" in heard)
        for stream, (_, theirs) in zip(streams, sockets, strict=True):
            stream.close()
            theirs.close()
        watch.close()
        return heard

    heard = asyncio.run(play())
    assert sorted(heard[:3]) == ["0: x", "1: x", "2: x"]
    assert heard[3:] == ["after"]


def test_a_stream_that_another_one_closed_is_heard_no_more() -> None:
    async def play() -> list[str]:
        heard: list[str] = []
        watch = Watch(asyncio.get_running_loop(), lambda: heard.append("after"))
        sockets = pairs(2)
        streams: list[Stream] = []

        def close_both() -> None:
            for stream in streams:
                stream.close()

        streams += [Stream(ours, Ear(heard, "one", close_both), watch) for ours, _ in sockets]
        for _, theirs in sockets:
            theirs.send(b"x")
        await until(lambda: "after" in heard)
        for _, theirs in sockets:
            theirs.close()
        watch.close()
        return heard

    assert asyncio.run(play()) == ["one: x", "after"]
