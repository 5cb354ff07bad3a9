"""A managed test of seven days, through every step of the rollout, while the cloud's clock runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from include.aws import experiments
from include.aws.clients import Clients, connect
from include.aws.metrics import Variants, invocations
from include.ledger.objects import Kind
from include.rollout.experiment import experiment_name
from include.rollout.names import moment
from include.rollout.verdict import End, Verdict
from tests.integration.rollouts.conftest import (
    Drive,
    ask_local,
    document,
    local_cloud,
    make_endpoint,
    resources,
    serves,
    session,
)
from tests.integration.rollouts.crashing import CANDIDATE, PRODUCTION, calling

WEEK = 7 * 86400
PERIOD = 300
# Seconds of the cloud per second of the machine, outside of the window and inside. A period of five minutes lasts a
# seventh of a second there: long enough that few requests and their copies fall into two.
CALM, FAST = 60, 2000
CALLERS = 12


@pytest.fixture
def week_cloud(tmp_path: Path) -> Iterator[str]:
    with local_cloud(tmp_path / "cloud", "--clock-scale", str(CALM)) as url:
        yield url


@pytest.fixture
def run(week_cloud: str, tmp_path: Path) -> Iterator[Callable[..., Drive]]:
    """Make a managed rollout of a week on an endpoint that has callers until the test's end."""
    clients = connect(session(), {"": week_cloud})
    with ExitStack() as callers:

        def make(**environment: str) -> Drive:
            endpoint = make_endpoint(clients, environment={"LOCAL_ANSWER": PRODUCTION})
            for _ in range(CALLERS):
                callers.enter_context(calling(week_cloud, endpoint))
            _wait_a_period(clients, endpoint)
            return Drive(clients=clients, spec=_week(endpoint, environment), folder=tmp_path)

        yield make


def _week(endpoint: str, environment: dict[str, str]) -> dict[str, Any]:
    spec = document(endpoint, "", candidate={"environment": {"LOCAL_ANSWER": CANDIDATE, **environment}})
    del spec["replay"]
    spec |= {"strategy": "managed", "deploy_timeout": 3600}
    spec["window"] = {
        "period": PERIOD,
        "warm_up": 300,
        "length": WEEK,
        "maximum": WEEK,
        "lag": 180,
        "opening": 86400,
    }
    spec["gates"]["rules"] = [
        # A look at a week of periods takes a second of the machine, which is an hour of the cloud without a caller.
        {"kind": "completeness", "periods": 0.3, "gap": 400},
        {"kind": "min_sample", "requests": 200},
        {"kind": "error_rate", "absolute": 0.05},
    ]
    return spec


def _wait_a_period(clients: Clients, endpoint: str) -> None:
    """Wait until CloudWatch has a whole period of requests, which the plan reckons with."""
    both = Variants(endpoint=endpoint, production="production", shadow="production")
    counted = 0.0
    while counted < 30:
        now = clients.now()
        begin = now.replace(second=0, microsecond=0) - timedelta(minutes=10)
        counted = invocations(clients, both, begin=begin, end=now, period=60)["production"]
    time.sleep(2 * PERIOD / CALM)


def _watch(url: str, drive: Drive) -> Verdict:
    ask_local(url, "POST", "clock", {"scale": FAST})
    try:
        return drive.watch()
    finally:
        ask_local(url, "POST", "clock", {"scale": CALM})


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_good_candidate_is_promoted_after_seven_days(week_cloud: str, run: Callable[..., Drive]) -> None:
    drive = run()
    drive.begin()
    rollout, clients = drive.rollout, drive.clients
    endpoint = rollout.baseline.endpoint
    assert _watch(week_cloud, drive) is Verdict.PROMOTE, "\n".join(drive.lines[-6:])
    window = rollout.ledger.require(Kind.WINDOW)
    assert moment(window["end"]) - moment(window["begin"]) == timedelta(days=7)
    test = experiments.describe(clients, experiment_name(rollout.id, rollout.baseline))
    assert test is not None
    assert test.status == "Running", "the rollout ends the test, not the schedule"
    assert rollout.now() - test.created >= timedelta(days=7)
    assert drive.finish() is End.PROMOTED
    config, shadows = serves(clients, endpoint)
    model = rollout.ledger.require(Kind.CANDIDATE)["model"]
    assert (resources(clients, rollout.id), shadows) == (sorted([config, model]), 0)
    assert rollout.leases.current(endpoint) is None


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_failing_candidate_is_aborted_within_the_first_day(
    week_cloud: str, run: Callable[..., Drive]
) -> None:
    drive = run(LOCAL_ERROR_SHARE="0.3")
    drive.begin()
    rollout = drive.rollout
    assert _watch(week_cloud, drive) is Verdict.ROLL_BACK, "\n".join(drive.lines[-6:])
    last = rollout.ledger.ticks()[-1]
    begin = moment(rollout.ledger.require(Kind.WINDOW)["begin"])
    assert moment(last["end"]) - begin <= timedelta(days=1)
    assert drive.finish() is End.ROLLED_BACK
    endpoint = rollout.baseline.endpoint
    assert serves(drive.clients, endpoint) == (f"{endpoint}-config", 0)
    assert resources(drive.clients, rollout.id) == []
