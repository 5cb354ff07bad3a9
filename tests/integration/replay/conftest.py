"""Servers for a test, stopped when it ends."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator

import pytest

from tests.integration.replay.server import Act, Server, listen

Serve = Callable[..., Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    stops: list[Callable[[], None]] = []

    def start(behaviour: Callable[[int], Act] = lambda _: Act(), tls: ssl.SSLContext | None = None) -> Server:
        server, stop = listen(behaviour, tls)
        stops.append(stop)
        return server

    yield start
    for stop in stops:
        stop()
