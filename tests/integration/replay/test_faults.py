"""Everything goes wrong at once, and the account still agrees with what the server did."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from pathlib import Path

from include.replay.account import FailureKind
from include.replay.engine import replay
from include.replay.pacer import Poisson, Saturating
from include.replay.source import Report, Rows
from include.replay.target import Credentials, Target
from tests.integration.replay.conftest import Serve
from tests.integration.replay.server import OK, Act, answer

FAULTS = {
    "fine": (Act(), None),
    "slow": (Act(delay=0.05), None),
    "hung": (Act(delay=30.0), FailureKind.TIMEOUT),
    "reset": (Act(b"", then="reset"), FailureKind.CONNECTION),
    "truncated": (Act(OK[:-2], then="close"), FailureKind.CONNECTION),
    "no HTTP": (Act(b"\x00\x01\x02\r\n\r\n", then="close"), FailureKind.CONNECTION),
    "throttled": (
        Act(answer(400, headers="x-amzn-ErrorType: ThrottlingException\r\n")),
        FailureKind.THROTTLED,
    ),
    "bad request": (Act(answer(400)), FailureKind.CLIENT_ERROR),
    "model error": (Act(answer(424)), FailureKind.MODEL_ERROR),
    "unavailable": (
        Act(answer(503, headers="Connection: close\r\n"), then="close"),
        FailureKind.SERVER_ERROR,
    ),
}
WEIGHTS = [70, 10, 1, 3, 3, 2, 4, 2, 3, 2]


def test_under_every_fault_the_account_is_what_the_server_did(serve: Serve, tmp_path: Path) -> None:
    plan = random.Random(11).choices(list(FAULTS), WEIGHTS, k=6000)
    server = serve(lambda number: FAULTS[plan[number]][0])
    path = tmp_path / "rows.csv"
    path.write_bytes(b"".join(b"\0garbage\n" if i % 100 == 50 else b"%d,1\n" % i for i in range(2000)))
    report = Report(limit=0.02)
    account = replay(
        target=Target(
            endpoint="churn",
            region="r",
            base_url=server.url,
            credentials=Credentials(access_key="A", secret_key="b"),
            timeout=1.0,
        ),
        requests=Rows(where=path, content_type="text/csv", report=report),
        pacer=Poisson(rate=1500, seed=3),
        duration=None,
        limit=None,
        late_after=2.0,
        inference_id=str,
        in_flight=128,
    )
    assert (report.read, report.bad) == (2000, 20)
    assert account.scheduled == 1980
    did = Counter(plan[: len(server.seen)])
    expected: Counter[FailureKind] = Counter()
    for name, count in did.items():
        kind = FAULTS[name][1]
        if kind is not None:
            expected[kind] += count
    assert account.sent == len(server.seen) == len(set(server.ids))
    assert account.failed == expected
    assert account.answered == did["fine"] + did["slow"]
    assert sum(period.scheduled for period in account.periods.values()) == 1980


def test_with_every_place_taken_the_account_is_what_the_server_did(serve: Serve) -> None:
    """A closed loop: each outcome, good or bad, lets the next request go."""
    plan = random.Random(12).choices(list(FAULTS), WEIGHTS, k=600)
    server = serve(lambda number: FAULTS[plan[number]][0])
    account = replay(
        target=Target(endpoint="churn", region="r", base_url=server.url, timeout=5.0),
        requests=Rows(where=b"1\n" * 600, content_type="text/csv"),
        pacer=Saturating(),
        duration=None,
        limit=None,
        late_after=60.0,
        inference_id=str,
        in_flight=16,
    )
    did = Counter(plan[: len(server.seen)])
    assert account.scheduled == account.sent == len(server.seen) == len(set(server.ids)) == 600
    assert account.answered == did["fine"] + did["slow"]
    assert account.failed == Counter(
        FAULTS[name][1] for name in did.elements() if FAULTS[name][1] is not None
    )


def test_a_server_that_closes_every_connection_costs_no_request(serve: Serve) -> None:
    server = serve(lambda _: Act(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), then="close"))
    account = replay(
        target=Target(endpoint="churn", region="r", base_url=server.url),
        requests=Rows(where=b"1\n" * 400, content_type="text/csv"),
        pacer=Poisson(rate=800, seed=3),
        duration=None,
        limit=None,
        late_after=2.0,
        inference_id=str,
    )
    assert account.answered == len(server.seen) == server.connections == 400


def test_a_million_records_with_one_percent_of_garbage_are_read_and_counted_exactly(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    block = b"".join(b'1,"broken\n' if i == 7 else b"%d,0.5,0.25\n" % i for i in range(100))
    path.write_bytes(block * 10_000)
    report = Report(limit=0.02)
    assert sum(1 for _ in Rows(where=path, content_type="text/csv", report=report)) == 990_000
    assert (report.read, report.bad) == (1_000_000, 10_000)
    assert report.examples[:2] == [
        f"{path}:8: a quoted field does not end on its line",
        f"{path}:108: a quoted field does not end on its line",
    ]
    assert len(list(itertools.islice(report.examples, 100))) == 20
