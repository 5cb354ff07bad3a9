"""Many triggers on a slow cloud leave the triggerer's loop to the others: no call of theirs is made on it."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

from include.orchestration.connection import clients_of
from include.orchestration.triggers import WaitTrigger, WindowTrigger
from include.rollout.verdict import Conclusion
from include.steps.conclude import conclude
from tests.integration.rollouts.conftest import REGION, Drive

CONNECTION = "aws_slow"
_HEARD = 3  # beats of the loop that every request is held for


@dataclass
class Heart:
    """Beats on the loop, for as long as nobody blocks it."""

    beats: int = 0

    async def beat(self) -> None:
        while True:
            self.beats += 1
            await asyncio.sleep(0.01)


@dataclass
class SlowCloud:
    """Hands requests on to a cloud, each only after the heart went on beating; without a beat it gives up waiting."""

    target: str
    heart: Heart
    patience: float = 60.0  # seconds without the beats until the loop counts as blocked
    held: int = 0
    blocked: int = 0
    url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def hold(self) -> None:
        """Wait for the beats, and note whether they came."""
        until, deadline = self.heart.beats + _HEARD, time.monotonic() + self.patience
        while self.heart.beats < until and time.monotonic() < deadline:
            time.sleep(0.005)
        with self._lock:
            self.held += 1
            self.blocked += self.heart.beats < until


@contextmanager
def slow(cloud: SlowCloud) -> Iterator[SlowCloud]:
    """Serve the slow cloud on a free port until the block ends."""
    target = urlsplit(cloud.target).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _hand_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            cloud.hold()
            there = http.client.HTTPConnection(target, timeout=60)
            there.request(self.command, self.path, body, dict(self.headers))
            answer = there.getresponse()
            content = answer.read()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            there.close()

        do_GET = do_POST = do_PUT = do_HEAD = _hand_on

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        cloud.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield cloud
        finally:
            server.shutdown()


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Point the Airflow connection to a URL."""

    def point(url: str) -> None:
        extra = {"region_name": REGION, "endpoint_url": url}
        connection = {"conn_type": "aws", "login": "local", "password": "local", "extra": extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", json.dumps(connection))

    return point


async def _fired(trigger: Any) -> dict[str, Any]:
    async for event in trigger.run():
        payload: dict[str, Any] = event.payload
        return payload
    raise AssertionError("it ended without an event")


async def _beside(heart: Heart, *work: Any) -> list[Any]:
    """Run the work on one loop with the heart."""
    beating = asyncio.create_task(heart.beat())
    try:
        return await asyncio.gather(*work)
    finally:
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("waiting", "watching"), [(6, 2), pytest.param(40, 10, marks=pytest.mark.soak)])
def test_triggers_leave_the_loop_alone(
    cloud_url: str,
    endpoint: str,
    drive: Callable[..., Drive],
    connected: Callable[[str], None],
    waiting: int,
    watching: int,
) -> None:
    run = drive(connection=CONNECTION)
    run.begin()
    conclude(run.rollout, Conclusion.REMOVE, who="Ada", why="a test")
    with slow(SlowCloud(cloud_url, Heart())) as cloud:
        connected(cloud.url)
        waits = [
            WaitTrigger(connection=CONNECTION, endpoint=endpoint, every=0.1, until=time.time() + 580)
            for _ in range(waiting)
        ]
        looks = [
            WindowTrigger(
                dag_id="shadow_rollout",
                run_id=run.run_id,
                ledger=run.location,
                ledger_connection=CONNECTION,
            )
            for _ in range(watching)
        ]
        events = asyncio.run(_beside(cloud.heart, *map(_fired, [*waits, *looks])))
    assert events == [{"waited": True}] * waiting + [{"closed": "concluded"}] * watching
    assert cloud.held >= waiting + watching
    assert cloud.blocked == 0


@pytest.mark.timeout(300)
def test_a_call_on_the_loop_would_be_seen(cloud_url: str, connected: Callable[[str], None]) -> None:
    async def call() -> None:
        clients_of(CONNECTION).now()

    with slow(SlowCloud(cloud_url, Heart(), patience=1.0)) as cloud:
        connected(cloud.url)
        asyncio.run(_beside(cloud.heart, call()))
    assert (cloud.held, cloud.blocked) == (1, 1)
