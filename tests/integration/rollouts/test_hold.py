"""A promotion that waits for its window: on the endpoint as it was, and until somebody calls it off."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from include.aws.clients import Clients
from include.ledger.objects import held_key
from include.ledger.reader import Reader
from include.report.headline import headline
from include.report.history import history
from include.rollout.errors import ForeignChangeError, TerminalError
from include.rollout.names import moment
from include.rollout.promotion_window import Day
from include.rollout.spec import Strategy
from include.rollout.verdict import Action, Conclusion, End
from include.steps.conclude import conclude
from include.steps.decide import decide
from include.steps.hold import PHASE, is_held
from include.steps.judge import settle_verdict, take_reading
from include.steps.observe import Closed, observe, stop_replay
from include.steps.promote import promote
from include.steps.rollout import Wait
from include.steps.settle import settle
from tests.integration.rollouts.conftest import (
    Drive,
    ask_local,
    local_cloud,
    make_endpoint,
    promote_now,
    resources,
    serves,
)
from tests.integration.rollouts.crashing import CLOCK


@pytest.fixture(scope="module")
def cloud_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Let hours pass quickly, on a cloud of this file's own."""
    with local_cloud(tmp_path_factory.mktemp("cloud"), "--clock-scale", str(CLOCK)) as url:
        yield url


@pytest.fixture(params=[Strategy.SELF_SERVICE])
def held(request: pytest.FixtureRequest, clients: Clients, drive: Callable[..., Drive]) -> tuple[Drive, Wait]:
    """Give a rollout that was decided to promote two hours before a promotion may begin, and its wait."""
    opens = clients.now() + timedelta(hours=2)
    window = {"days": [tuple(Day)[opens.weekday()].value], "begin": f"{opens:%H:%M}", "end": "00:00"}
    run = drive(
        strategy=request.param.value,
        promotion={"override": True, "windows": [window]},
        deploy_timeout=3600,
    )
    run.begin()
    promote_now(run)
    assert observe(run.rollout).closed is Closed.CONCLUDED
    take_reading(run.rollout, Closed.CONCLUDED)
    stop_replay(run.rollout, Closed.CONCLUDED)
    settle_verdict(run.rollout)
    assert decide(run.rollout) is Action.PROMOTE
    wait = promote(run.rollout)
    while wait is not None and wait.phase != PHASE:
        time.sleep(0.3)
        wait = promote(run.rollout, wait)
    assert wait is not None
    return run, wait


def told(run: Drive) -> list[str]:
    record = Reader(run.rollout.store).rollout(run.rollout.id)
    assert record is not None
    return [headline(record).sentence, *(f"{event.who} {event.what}" for event in history(record))]


def test_it_waits_on_the_endpoint_as_it_was_and_goes_on_when_its_window_opens(
    clients: Clients, cloud_url: str, held: tuple[Drive, Wait]
) -> None:
    run, wait = held
    name = run.spec["endpoint"]["name"]
    opens = moment(run.rollout.ledger.require(held_key())["opens"])
    assert (wait.until, wait.endpoint) == (opens, "")
    assert timedelta(minutes=30) < opens - clients.now() < timedelta(hours=2)
    assert serves(clients, name) == (f"{name}-config", 0)
    assert f"waits for its window, which opens {opens:%Y-%m-%d %H:%M:%S} UTC" in told(run)[0]
    assert run.rollout.expires - clients.now() > timedelta(days=7)
    # A task that was killed while it waited begins anew, and waits for the same.
    again = promote(run.rollout)
    assert again is not None
    assert (again.phase, again.until) == (PHASE, opens)
    ask_local(cloud_url, "POST", "clock", {"scale": 3600})
    while clients.now() < opens:
        time.sleep(0.1)
    ask_local(cloud_url, "POST", "clock", {"scale": CLOCK})
    run.step(promote)
    assert run.step(settle) is End.PROMOTED
    assert serves(clients, name)[0] != f"{name}-config"
    assert not is_held(run.rollout)


@pytest.mark.parametrize("held", list(Strategy), indirect=True)
def test_a_person_calls_it_off(clients: Clients, held: tuple[Drive, Wait]) -> None:
    run, wait = held
    name = run.spec["endpoint"]["name"]
    with pytest.raises(TerminalError, match="closed already"):
        conclude(run.rollout, Conclusion.PROMOTE, who="Ada", why="cannot wait")
    conclude(run.rollout, Conclusion.REMOVE, who="Ada", why="the newer one comes on Monday")
    assert promote(run.rollout, wait) is None
    assert promote(run.rollout) is None  # a task that is cleared finds it called off
    assert run.step(settle) is End.ROLLED_BACK
    assert serves(clients, name) == (f"{name}-config", 0)
    assert resources(clients, run.rollout.id) == []
    assert run.rollout.ledger.require("outcome")["reason"] == (
        "Ada called the promotion off: the newer one comes on Monday"
    )
    sentence, *events = told(run)
    assert sentence.startswith(f"The promotion was called off; endpoint {name} serves what it served before")
    assert "Ada called the promotion off" in events
    assert not is_held(run.rollout)


def test_a_task_that_dies_while_it_waits_leaves_the_endpoint_as_it_was(
    clients: Clients, held: tuple[Drive, Wait]
) -> None:
    run, _ = held
    name = run.spec["endpoint"]["name"]
    assert run.step(settle) is End.CRASHED
    assert serves(clients, name) == (f"{name}-config", 0)
    assert resources(clients, run.rollout.id) == []


def test_a_foreign_change_ends_the_wait(clients: Clients, held: tuple[Drive, Wait]) -> None:
    run, wait = held
    name = run.spec["endpoint"]["name"]
    other = make_endpoint(clients)
    clients.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=f"{other}-config")
    with pytest.raises(ForeignChangeError):
        promote(run.rollout, wait)
