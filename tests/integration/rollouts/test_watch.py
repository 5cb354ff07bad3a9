"""A promoted candidate is looked after for a while, and taken back when production is worse than in the window."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import TaskDeferred

from include.aws import endpoints
from include.aws.clients import Clients
from include.ledger.reader import Reader
from include.orchestration.operators import WatchOperator
from include.report.headline import headline
from include.report.history import history
from include.rollout.errors import ForeignChangeError, TerminalError
from include.rollout.evidence import Evidence, Period
from include.rollout.verdict import Action, Conclusion, End
from include.rollout.window import floor_to
from include.steps.conclude import conclude
from include.steps.decide import decide
from include.steps.judge import settle_verdict, take_reading
from include.steps.observe import Closed, observe, stop_replay
from include.steps.promote import promote
from include.steps.settle import settle
from include.steps.watch import is_watching, look_after, taken_back
from tests.integration.rollouts.conftest import (
    PERIOD,
    REGION,
    Drive,
    document,
    local_cloud,
    make_endpoint,
    promote_now,
    resources,
    serves,
)
from tests.integration.rollouts.crashing import CANDIDATE, CLOCK, PRODUCTION, calling

WATCH = 8 * PERIOD


@pytest.fixture(scope="module")
def cloud_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Let the minutes of a watch pass quickly."""
    with local_cloud(tmp_path_factory.mktemp("cloud"), "--clock-scale", str(CLOCK)) as url:
        yield url


@dataclass
class Promoted:
    """A candidate that the gates promoted a moment ago, on an endpoint with a caller, still to be watched."""

    run: Drive
    endpoint: str
    before: str = field(init=False)

    def __post_init__(self) -> None:
        self.before = f"{self.endpoint}-config"

    def told(self) -> list[str]:
        record = Reader(self.run.rollout.store).rollout(self.run.rollout.id)
        assert record is not None
        return [headline(record).sentence, *(f"{event.who} {event.what}" for event in history(record))]


@pytest.fixture
def promoted(
    clients: Clients, cloud_url: str, drive: Callable[..., Drive], source: str
) -> Iterator[Promoted]:
    name = make_endpoint(clients, environment={"LOCAL_ANSWER": PRODUCTION})
    spec = document(
        name,
        source,
        candidate={"environment": {"LOCAL_ANSWER": CANDIDATE}},
        window={"length": WATCH, "maximum": WATCH},
        promotion={"override": True, "watch": WATCH},
        deploy_timeout=3600,
    )
    run = drive(spec)
    with calling(cloud_url, name):
        run.begin()
        # What the window would have shown of production, had it been waited for.
        run.rollout.write("evidence/1", healthy(run.rollout.now(), periods=WATCH // PERIOD).to_document())
        promote_now(run)
        assert observe(run.rollout).closed is Closed.CONCLUDED
        take_reading(run.rollout, Closed.CONCLUDED)
        stop_replay(run.rollout, Closed.CONCLUDED)
        settle_verdict(run.rollout)
        assert decide(run.rollout) is Action.PROMOTE
        run.step(promote)
        assert is_watching(run.rollout)
        yield Promoted(run=run, endpoint=name)


def healthy(now: datetime, *, periods: int) -> Evidence:
    """Return what two variants without errors look like."""
    end = floor_to(now, PERIOD)
    begin = end - timedelta(seconds=PERIOD * periods)
    rows = tuple(
        Period(
            start=begin + timedelta(seconds=PERIOD * i),
            invocations=10.0,
            latency={"p50": 9e3, "p90": 1e4, "p99": 2e4},
        )
        for i in range(periods)
    )
    return Evidence(begin=begin, end=end, period=PERIOD, sampling=1.0, production=rows, shadow=rows)


def test_a_candidate_that_stays_good_stays(clients: Clients, promoted: Promoted) -> None:
    run = promoted.run
    run.look_after()
    assert taken_back(run.rollout) is None
    assert run.step(settle) is End.PROMOTED
    assert serves(clients, promoted.endpoint)[0] != promoted.before
    ledger = run.rollout.ledger
    *looks, over = (ledger.require(key) for key in ledger.keys("watch/"))
    assert looks[-1]["periods"] > 0
    assert looks[-1]["line"] in run.lines
    assert over["why"].startswith("the evidence against it stayed too weak over")
    assert "cut short" not in run.rollout.ledger.require("outcome")["reason"]


def test_a_candidate_that_turns_bad_is_taken_back(
    clients: Clients, promoted: Promoted, faults: Callable[..., None]
) -> None:
    run, endpoint = promoted.run, promoted.endpoint
    faults(errors=1.0, endpoint=endpoint, variant="production")
    run.look_after()
    assert serves(clients, endpoint) == (promoted.before, 0)
    assert run.step(settle) is End.ROLLED_BACK
    assert resources(clients, run.rollout.id) == []
    ledger = run.rollout.ledger
    reason = ledger.require("outcome")["reason"]
    assert reason.startswith("the watch took the promotion back: since the promotion ")
    assert "error_rate:InvocationModelErrors" in reason
    assert run.rollout.leases.current(endpoint) is None
    package = clients.sagemaker.describe_model_package(
        ModelPackageName=ledger.require("candidate")["package"]
    )
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    told = promoted.told()
    assert told[0].startswith("The promotion was taken back")
    assert "the watch took the promotion back" in told


def test_a_person_removes_what_is_watched_and_the_task_goes_the_way_back_from_pause_to_pause(
    clients: Clients, cloud_url: str, promoted: Promoted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a scheduler: the operator pauses on its triggers, each made again from what Airflow would keep of it."""
    run = promoted.run
    connection = {"conn_type": "aws", "login": "local", "password": "local"}
    connection["extra"] = {"region_name": REGION, "endpoint_url": cloud_url}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW_VAR_PENUMBRA_LEDGER", run.location)
    monkeypatch.setattr(
        "include.orchestration.operators._DEFERRING", 0.0
    )  # else an update this quick needs no pause
    with pytest.raises(TerminalError, match="is closed already"):
        conclude(run.rollout, Conclusion.EXTEND, who="Ada", why="a test", seconds=PERIOD)
    conclude(run.rollout, Conclusion.REMOVE, who="Ada", why="wrong prices")
    task = WatchOperator(task_id="watch")
    context = {
        "dag_run": SimpleNamespace(dag_id=run.rollout.run.dag_id, run_id=run.run_id),
        "ti": SimpleNamespace(task_id="watch", map_index=-1, xcom_push=lambda **_: None),
    }
    pauses, call = [], partial(task.execute, context)
    for _ in range(20):
        try:
            call()
            break
        except TaskDeferred as paused:
            _, arguments = paused.trigger.serialize()
            pauses.append(paused.method_name)
            if "every" in arguments:
                arguments["every"] = 0.2  # an update of this cloud takes no half minutes
            event = asyncio.run(anext(type(paused.trigger)(**arguments).run()))
            call = partial(getattr(task, paused.method_name), context, event.payload, **(paused.kwargs or {}))
    assert pauses[0] == "closed"
    assert set(pauses[1:]) == {"resume"}
    assert serves(clients, promoted.endpoint) == (promoted.before, 0)
    task.execute(context)  # cleared by somebody: there is nothing left to do
    run.step(promote)  # nor to promote again
    assert serves(clients, promoted.endpoint) == (promoted.before, 0)
    assert run.step(settle) is End.ROLLED_BACK
    assert run.rollout.ledger.require("outcome")["reason"] == "Ada took the promotion back: wrong prices"


def test_a_run_that_ends_while_it_watches_keeps_the_candidate_and_says_so(
    clients: Clients, promoted: Promoted
) -> None:
    run = promoted.run
    look_after(run.rollout)
    assert run.step(settle) is End.PROMOTED
    assert serves(clients, promoted.endpoint)[0] != promoted.before
    assert run.rollout.ledger.require("outcome")["reason"].endswith("; its watch was cut short")


def test_a_foreign_change_ends_the_watch_and_stays(clients: Clients, promoted: Promoted) -> None:
    run, endpoint = promoted.run, promoted.endpoint
    config = endpoints.describe_config(clients, promoted.before)
    assert config is not None
    clients.sagemaker.create_endpoint_config(**config | {"EndpointConfigName": f"{endpoint}-theirs"})
    clients.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=f"{endpoint}-theirs")
    with pytest.raises(ForeignChangeError, match=f"{endpoint}-theirs"):
        run.look_after()
    assert run.step(settle) is End.FOREIGN_CHANGE
    assert serves(clients, endpoint) == (f"{endpoint}-theirs", 0)
    assert resources(clients, run.rollout.id) == []
