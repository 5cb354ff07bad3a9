"""The engine against real servers, well-behaved and not: every account adds up."""

from __future__ import annotations

import http.client
import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from include.replay.account import Account, FailureKind
from include.replay.engine import replay
from include.replay.pacer import Constant, Poisson, Saturating
from include.replay.progress import Progress
from include.replay.request import Request
from include.replay.target import Credentials, Target
from include.rollout.errors import ReplayError
from tests.integration.replay.conftest import Serve
from tests.integration.replay.server import OK, Act

KEYS = Credentials(access_key="AKIDEXAMPLE", secret_key="secret", token="token")
ROW = Request(body=b"1,2,3")


def rows(count: int) -> list[Request]:
    return [Request(body=f"{i},2,3".encode()) for i in range(count)]


def run(url: str, requests: Iterable[Request], *, timeout: float = 5.0, **options: Any) -> Account:
    target = Target(endpoint="churn", region="eu-west-1", base_url=url, credentials=KEYS, timeout=timeout)
    settings: dict[str, Any] = {
        "pacer": Constant(rate=500),
        "duration": None,
        "limit": None,
        "late_after": 1.0,
        "inference_id": lambda index: f"pen-a-0-{index}",
    }
    return replay(target=target, requests=requests, **(settings | options))


def test_every_request_is_sent_once_with_its_own_name_and_body(serve: Serve) -> None:
    server = serve()
    account = run(server.url, rows(100))
    assert (account.scheduled, account.answered, account.shed) == (100, 100, 0)
    assert account.statuses == {200: 100}
    assert sorted(server.ids) == sorted(f"pen-a-0-{i}" for i in range(100))
    assert {body for _, body in server.seen} == {f"{i},2,3".encode() for i in range(100)}
    assert account.latency.count == account.service.count == account.lateness.count == 100
    assert sum(period.scheduled for period in account.periods.values()) == 100


def test_connections_are_kept_and_used_again(serve: Serve) -> None:
    server = serve()
    run(server.url, rows(200), in_flight=8)
    assert server.connections <= 8


def test_the_request_is_the_one_that_sagemaker_expects(serve: Serve) -> None:
    server = serve()
    run(server.url, [Request(body=b"{}", content_type="application/json")])
    headers, body = server.seen[0]
    assert headers[""] == "POST /endpoints/churn/invocations HTTP/1.1"
    assert headers["content-type"] == "application/json"
    assert headers["x-amz-security-token"] == "token"
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert headers["host"] == f"127.0.0.1:{server.port}"
    assert body == b"{}"


@pytest.mark.parametrize(
    ("raw", "kind", "status"),
    [
        (b"HTTP/1.1 400 X\r\nContent-Length: 2\r\n\r\n{}", FailureKind.CLIENT_ERROR, 400),
        (
            b"HTTP/1.1 400 X\r\nx-amzn-ErrorType: ThrottlingException:http://x\r\nContent-Length: 2\r\n\r\n{}",
            FailureKind.THROTTLED,
            400,
        ),
        (b"HTTP/1.1 429 X\r\nContent-Length: 0\r\n\r\n", FailureKind.THROTTLED, 429),
        (b"HTTP/1.1 424 X\r\nContent-Length: 0\r\n\r\n", FailureKind.MODEL_ERROR, 424),
        (
            b"HTTP/1.1 503 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            FailureKind.SERVER_ERROR,
            503,
        ),
        (b"HTTP/1.1 302 X\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", FailureKind.CLIENT_ERROR, 302),
    ],
    ids=["400", "400 throttled", "429", "424", "503 chunked", "302"],
)
def test_every_status_has_its_kind(serve: Serve, raw: bytes, kind: FailureKind, status: int) -> None:
    server = serve(lambda number: Act(raw) if number % 4 == 0 else Act())
    account = run(server.url, rows(40))
    assert (account.scheduled, account.answered) == (40, 30)
    assert account.failed == {kind: 10}
    assert account.statuses == {200: 30, status: 10}


@pytest.mark.parametrize(
    "act",
    [
        Act(b"", then="reset"),
        Act(b"", then="close"),
        Act(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n0.", then="close"),
        Act(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0.2", then="close"),
        Act(b"HTTP/1.1 200 OK\r\nConte", then="close"),
        Act(b"\x16\x03\x01 this is no HTTP\r\n\r\n", then="keep"),
    ],
    ids=["reset", "closed", "truncated body", "truncated chunk", "truncated head", "garbage"],
)
def test_a_broken_answer_fails_its_request_and_no_other(serve: Serve, act: Act) -> None:
    server = serve(lambda number: act if number % 5 == 0 else Act())
    account = run(server.url, rows(50))
    assert (account.scheduled, account.answered, account.shed) == (50, 40, 0)
    assert account.failed == {FailureKind.CONNECTION: 10}
    assert len(server.seen) == 50  # nothing is sent twice


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\n\r\n0.25",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\n0.25",
        b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\n0.25",
        b"HTTP/1.1 200 OK\r\nContent-Length: 600000\r\n\r\n" + b"x" * 600_000,
        b"HTTP/1.1 204 No Content\r\n\r\n",
        OK + b"what nobody asked for",
        OK + OK,
    ],
    ids=["100 first", "until the end", "close", "HTTP 1.0", "longer than the buffer", "204", "tail", "twice"],
)
def test_every_lawful_form_of_answer_is_an_answer(serve: Serve, raw: bytes) -> None:
    then = "close" if b"0.25" in raw and b"Continue" not in raw else "keep"
    server = serve(lambda _: Act(raw, then=then))
    account = run(server.url, rows(20))
    assert (account.answered, account.scheduled) == (20, 20)


def test_a_slow_answer_is_a_timeout_with_the_time_that_was_waited(serve: Serve) -> None:
    server = serve(lambda number: Act(delay=3.0) if number == 7 else Act())
    account = run(server.url, rows(30), timeout=0.3)
    assert account.failed == {FailureKind.TIMEOUT: 1}
    assert account.answered == 29
    assert account.latency.maximum is not None
    assert account.latency.maximum >= 0.3
    assert account.latency.count == 30


def test_a_target_that_is_not_there_fails_every_request() -> None:
    account = run("http://127.0.0.1:1", rows(25))
    assert account.failed == {FailureKind.CONNECTION: 25}
    assert account.latency.count == 0


def test_what_cannot_be_sent_in_time_is_shed_and_counted(serve: Serve) -> None:
    server = serve(lambda _: Act(delay=0.2))
    account = run(server.url, rows(200), in_flight=2, late_after=0.05, pacer=Constant(rate=1000))
    assert account.shed > 100
    assert account.answered == len(server.seen) == 200 - account.shed
    assert account.lateness.maximum is not None
    assert account.lateness.maximum < 0.25
    assert account.scheduled == 200


def test_without_a_tolerance_nothing_is_shed_and_the_wait_is_counted(serve: Serve) -> None:
    server = serve(lambda _: Act(delay=0.02))
    account = run(server.url, rows(20), in_flight=1, late_after=math.inf, pacer=Constant(rate=1000))
    assert account.answered == 20
    p99 = account.latency.quantile(0.99)
    assert p99 is not None
    assert p99 > 0.35  # the last of 20 waited for the 19 before it


def test_a_stall_shows_in_p99_from_the_schedule_and_hides_in_a_closed_loop(serve: Serve) -> None:
    """Open loop at 100/s for 4 s, the server standing still for 2 s: half of all requests must feel it."""

    def stalls() -> Callable[[int], Act]:
        began = time.monotonic()
        return lambda _: Act(
            delay=max(0.0, 3.0 - (time.monotonic() - began)) if time.monotonic() - began > 1 else 0.0
        )

    open_loop = run(
        serve(stalls()).url, itertools.repeat(ROW), duration=4.0, pacer=Constant(rate=100), in_flight=512
    )
    p99 = open_loop.latency.quantile(0.99)
    assert p99 is not None
    assert open_loop.answered == open_loop.scheduled == 400
    assert p99 > 1.5

    server, waits = serve(stalls()), []
    client = http.client.HTTPConnection("127.0.0.1", server.port)
    for _ in range(202):  # one after another, 10 ms apart, as the usual loop does
        sent = time.monotonic()
        client.request("POST", "/", b"1", {"X-Amzn-SageMaker-Inference-Id": "x"})
        client.getresponse().read()
        waits.append(time.monotonic() - sent)
        time.sleep(0.01)
    client.close()
    assert max(waits) > 1.5
    assert sorted(waits)[math.ceil(0.99 * len(waits)) - 1] < 1.0


def test_a_stop_ends_the_replay_within_a_second_and_abandons_what_is_under_way(serve: Serve) -> None:
    server = serve(lambda number: Act(delay=30.0) if number % 10 == 0 else Act())
    stop_at = time.monotonic() + 0.6
    account = run(
        server.url,
        itertools.repeat(ROW),
        stopped=lambda: time.monotonic() > stop_at,
        timeout=60.0,
        pacer=Constant(rate=100),
        in_flight=1000,
    )
    assert time.monotonic() - stop_at < 5.0  # the answers would take 30
    assert account.failed[FailureKind.ABANDONED] == math.ceil(len(server.seen) / 10)
    assert account.scheduled == len(server.seen)


def test_the_limit_and_the_duration_end_the_schedule(serve: Serve) -> None:
    server = serve()
    assert run(server.url, itertools.repeat(ROW), limit=17).scheduled == 17
    assert run(server.url, itertools.repeat(ROW), duration=0.1, pacer=Constant(rate=100)).scheduled == 10


def test_the_warm_up_is_sent_and_not_counted(serve: Serve) -> None:
    server = serve()
    account = run(server.url, itertools.repeat(ROW), warm_up=0.2, limit=30, pacer=Constant(rate=200))
    assert (account.warm_up, account.scheduled) == (40, 30)
    assert len(server.seen) == 70


def test_of_a_schedule_only_the_part_is_sent_that_is_asked_for_at_the_time(serve: Serve) -> None:
    server, asked = serve(), []

    def part() -> float:
        asked.append(len(asked))
        return 0.0 if len(asked) <= 100 else 0.5 if len(asked) <= 500 else 1.0

    account = run(server.url, rows(600), pacer=Constant(rate=1000), part=part)
    sent = {int(name.rpartition("-")[2]) for name in server.ids}
    assert account.scheduled + account.spared == 600
    assert account.answered == len(sent) == account.scheduled
    assert not sent & set(range(100))
    assert 150 <= len(sent & set(range(100, 500))) <= 250
    assert set(range(500, 600)) <= sent


def test_indices_go_on_where_an_earlier_run_ended(serve: Serve) -> None:
    server = serve()
    began = time.monotonic()
    account = run(server.url, rows(43), first_index=40, pacer=Constant(rate=2))
    assert sorted(server.ids) == ["pen-a-0-40", "pen-a-0-41", "pen-a-0-42"]
    assert [body for _, body in server.seen] == [b"40,2,3", b"41,2,3", b"42,2,3"]
    assert account.scheduled == 3
    assert time.monotonic() - began < 10  # not the 20 s that the schedule has before them


def test_a_source_that_breaks_ends_the_replay_with_its_error_and_the_account_so_far(serve: Serve) -> None:
    def breaking() -> Iterator[Request]:
        yield from rows(20)
        raise ReplayError("the source is gone")

    heard: list[Progress] = []
    with pytest.raises(ReplayError, match="the source is gone"):
        run(serve().url, breaking(), progress=heard.append)
    account = heard[-1].account
    assert account.scheduled == 20
    assert account.answered + account.failed.get(FailureKind.ABANDONED, 0) == 20


def test_progress_is_told_while_it_runs_and_can_be_read(serve: Serve) -> None:
    heard: list[Progress] = []
    run(serve().url, itertools.repeat(ROW), duration=0.5, progress=heard.append, progress_every=0.1)
    assert len(heard) >= 3
    assert heard[-1].account.scheduled > heard[0].account.scheduled
    assert "scheduled = " in str(heard[-1])


def test_rotated_credentials_are_used_without_a_pause(serve: Serve) -> None:
    server = serve()

    def credentials() -> Credentials:
        return Credentials(access_key=f"KEY{int(len(server.seen) >= 20)}", secret_key="s")

    def used() -> list[str]:
        by_index = sorted(server.seen, key=lambda seen: int(seen[0]["x-amzn-sagemaker-inference-id"]))
        return [headers["authorization"].split("Credential=")[1][:4] for headers, _ in by_index]

    account = replay(
        target=Target(endpoint="churn", region="r", base_url=server.url, credentials=credentials),
        requests=itertools.repeat(ROW),
        pacer=Poisson(rate=100, seed=1),
        duration=30.0,
        limit=None,
        late_after=10.0,
        inference_id=str,
        stopped=lambda: "KEY1" in used(),
    )
    assert (used()[0], used()[-1]) == ("KEY0", "KEY1")
    assert used() == sorted(used())
    assert account.shed == account.failures - account.failed.get(FailureKind.ABANDONED, 0) == 0


def test_saturating_keeps_all_connections_busy(serve: Serve) -> None:
    server = serve(lambda _: Act(delay=0.02))
    account = run(server.url, itertools.repeat(ROW), pacer=Saturating(), duration=0.5, in_flight=4)
    assert account.shed == 0
    assert 4 < account.answered <= 104  # 4 at a time, 20 ms each, for half a second
    assert server.connections == 4
