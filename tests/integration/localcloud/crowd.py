"""A crowd that calls one endpoint on keep-alive connections, looks at every answer and counts every request.

Its production variant is the light image, whose answer only the request's bytes determine: with a body of its own for
each request, an answer tells which variant gave it, and to which request.
"""

from __future__ import annotations

import asyncio
import datetime
import threading
import time
import urllib.parse
from collections import Counter
from typing import Any, cast

import httptools
import uvloop

from include.localcloud.runtime.container.light import Light
from tests.integration.localcloud.metrics import sums

SHADOWS_ANSWER = "shadow"
_LIGHT = Light({})
_SILENCE_SECONDS = 60.0  # after which a request counts as lost


class Crowd:
    """Closed-loop callers in a thread: at least `least` requests, and on until `leave` is called.

    Afterwards `sent` is the number of requests, and `seen` says what became of each: "right" answers of production,
    those of the shadow, wrong ones, other statuses, and the lost, whose connection ended without an answer.
    """

    def __init__(self, url: str, endpoint: str, *, callers: int, least: int) -> None:
        self.sent = 0
        self.seen: Counter[str] = Counter()
        self._where, self._endpoint = urllib.parse.urlsplit(url), endpoint
        self._callers, self._least = callers, least
        self._leaving = False
        self._thread = threading.Thread(target=lambda: uvloop.run(self._call()))
        self._thread.start()

    def leave(self) -> None:
        """Return when the last caller has its last answer."""
        self._leaving = True
        self._thread.join()

    def next(self) -> bytes | None:
        """Return the body of the next request, unlike any other, or None when it is time to go."""
        if self._leaving and self.sent >= self._least:
            return None
        self.sent += 1
        return b"%d" % self.sent

    def request(self, body: bytes) -> bytes:
        """Return the whole HTTP request."""
        scope = "Credential=local/20260101/us-east-1/sagemaker/aws4_request"
        head = (
            f"POST /endpoints/{self._endpoint}/invocations HTTP/1.1\r\nHost: {self._where.netloc}\r\n"
            f"Content-Type: text/csv\r\nContent-Length: {len(body)}\r\n"
            f"Authorization: AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0\r\n\r\n"
        )
        return head.encode() + body

    async def _call(self) -> None:
        callers = [Caller(self) for _ in range(self._callers)]
        await asyncio.gather(*(caller.call(self._where.hostname, self._where.port) for caller in callers))


class Caller(asyncio.Protocol):
    """One of the crowd: a request, its answer, the next; a connection that is closed is opened again."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._transport: asyncio.Transport | None = None
        self._answered: asyncio.Future[bool] | None = None  # whether there was one
        self._sent = b""

    async def call(self, host: str | None, port: int | None) -> None:
        """Return when the crowd leaves."""
        loop = asyncio.get_running_loop()
        while (body := self._crowd.next()) is not None:
            self._answered, self._sent = loop.create_future(), body
            if self._transport is None:
                await loop.create_connection(lambda: self, host, port)
            assert self._transport is not None
            self._parser = httptools.HttpResponseParser(self)
            self._variant, self._body = b"", b""
            silence = loop.call_later(_SILENCE_SECONDS, self._transport.abort)
            self._transport.write(self._crowd.request(body))
            if not await self._answered:
                self._crowd.seen["lost"] += 1
            silence.cancel()
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(False)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"x-amzn-invoked-production-variant":
            self._variant = value

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        assert self._answered is not None
        self._crowd.seen[self._verdict()] += 1
        self._answered.set_result(True)

    def _verdict(self) -> str:
        status = self._parser.get_status_code()
        if status != 200:
            return f"status {status}"
        if self._body == SHADOWS_ANSWER.encode() or self._variant != b"production":
            return "the shadow's"
        return "right" if self._body == _LIGHT.invoke(self._sent, "", "").body else "wrong"


def updated_under_way(program: Any, hosting: Any, *, callers: int, least: int, updates: int = 10) -> Crowd:
    """Return what a crowd saw of an endpoint with a shadow of all requests that was updated so many times.

    Each update brings up a new production and a new shadow. No update may be over before the crowd was answered
    meanwhile; CloudWatch must have counted each request for production once, and most copies for the shadow.
    """
    hosted = hosting(program)
    hosted.model("production")
    for name in ("one", "other"):
        hosted.model(f"shadow-{name}", LOCAL_ANSWER=SHADOWS_ANSWER)
        hosted.config(name, "production", f"shadow-{name}")
    assert hosted.create("crowded", "one")["EndpointStatus"] == "InService"
    begun = datetime.datetime.now(datetime.UTC)
    crowd = Crowd(program.url, "crowded", callers=callers, least=least)
    try:
        for each in range(updates):
            while crowd.sent < each * least // updates:  # the updates are spread over all of its calls
                time.sleep(0.01)
            config, before = ("other", "one")[each % 2], crowd.sent
            assert hosted.update("crowded", config)["EndpointConfigName"] == config
            assert crowd.sent > before + callers, "nobody called during the update"
    finally:
        crowd.leave()
    program.let_pass(minutes=1.5)
    invocations = {
        variant: sums(program.client("cloudwatch"), "crowded", variant, begun)["Invocations"]
        for variant in ("production", "shadow")
    }
    assert invocations["production"] == crowd.sent
    assert crowd.sent / 2 < invocations["shadow"] <= crowd.sent
    return crowd
