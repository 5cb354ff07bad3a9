"""A promotion under alarms that the rollout makes and removes: SageMaker takes it back when they say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from include.aws import endpoints
from include.aws.clients import Clients
from include.rollout.verdict import End
from include.steps.promote import promote
from tests.integration.rollouts.conftest import (
    Drive,
    document,
    local_cloud,
    make_endpoint,
    promote_now,
    resources,
    serves,
)
from tests.integration.rollouts.crashing import CANDIDATE, CLOCK, PRODUCTION, calling

Make = Callable[..., Drive]


@pytest.fixture(scope="module")
def cloud_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Let the minutes of a bake pass quickly."""
    with local_cloud(tmp_path_factory.mktemp("cloud"), "--clock-scale", str(CLOCK)) as url:
        yield url


def promoting(
    clients: Clients, drive: Make, source: str, guardrails: dict[str, Any], **candidate: str
) -> Drive:
    """Give a rollout that a person promotes at once, unjudged, so that only the guardrails look."""
    name = make_endpoint(clients, environment={"LOCAL_ANSWER": PRODUCTION})
    spec = document(
        name,
        source,
        candidate={"environment": {"LOCAL_ANSWER": CANDIDATE, **candidate}},
        promotion={"override": True, "guardrails": guardrails},
        deploy_timeout=3600,
    )
    run = drive(spec)
    run.begin()
    promote_now(run)
    run.watch()
    return run


def alarms_of(clients: Clients, run: Drive) -> list[str]:
    found = clients.cloudwatch.describe_alarms(AlarmNamePrefix=f"pen-{run.rollout.id}")["MetricAlarms"]
    return [alarm["AlarmName"] for alarm in found]


@pytest.mark.parametrize("traffic", ["canary", "linear"])
def test_a_good_candidate_takes_over_step_by_step(
    clients: Clients, cloud_url: str, drive: Make, source: str, traffic: str
) -> None:
    guardrails = {"traffic": traffic, "step": 50, "wait": 60, "error_rate": 0.2, "latency_ms": 60000}
    run = promoting(clients, drive, source, guardrails)
    endpoint = run.rollout.baseline.endpoint
    with calling(cloud_url, endpoint) as caller:
        assert run.finish() is End.PROMOTED
    assert caller.failures == []
    config, shadows = serves(clients, endpoint)
    model = run.rollout.ledger.require("candidate")["model"]
    assert (resources(clients, run.rollout.id), shadows) == (sorted([config, model]), 0)
    state = endpoints.describe(clients, endpoint)
    assert state is not None
    policy = state.last_deployment["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert (policy["Type"], policy["WaitIntervalInSeconds"]) == (traffic.upper(), 60)
    assert len(state.last_deployment["AutoRollbackConfiguration"]["Alarms"]) == 2
    assert alarms_of(clients, run) == []


def test_a_candidate_that_fails_on_real_traffic_is_taken_back_and_the_rollout_is_rolled_back(
    clients: Clients, cloud_url: str, drive: Make, source: str
) -> None:
    guardrails = {"traffic": "canary", "step": 50, "wait": 300, "error_rate": 0.2}
    run = promoting(clients, drive, source, guardrails, LOCAL_ERROR_SHARE="1")
    endpoint = run.rollout.baseline.endpoint
    with calling(cloud_url, endpoint) as caller:
        assert run.finish() is End.ROLLED_BACK
    assert caller.answers == {PRODUCTION}
    assert serves(clients, endpoint) == (f"{endpoint}-config", 0)
    assert resources(clients, run.rollout.id) == []
    assert alarms_of(clients, run) == []
    ledger = run.rollout.ledger
    assert ledger.require("decision")["action"] == "promote"
    assert f"pen-{run.rollout.id}-errors" in ledger.require("outcome")["reason"]
    assert ledger.read("promotion") is None
    assert ledger.read("deployment/promoted.asked") is not None
    assert run.rollout.leases.current(endpoint) is None
    package = clients.sagemaker.describe_model_package(
        ModelPackageName=ledger.require("candidate")["package"]
    )
    assert package["ModelApprovalStatus"] == "PendingManualApproval"


def test_a_promotion_that_was_taken_back_unnoticed_is_not_made_again(
    clients: Clients, endpoint: str, drive: Make
) -> None:
    """The task was killed while it waited for the update that the guardrails then took back, and is cleared."""
    run = drive(promotion={"guardrails": {"error_rate": 0.2}})
    run.open()
    rollout = run.rollout
    rollout.write("decision", {"action": "promote", "who": "the gates"})
    rollout.write("candidate", {"model": rollout.baseline.model_name})
    for stage in ("baseline.begun", "promoted.begun", "promoted.asked"):
        rollout.write(f"deployment/{stage}", {})
    assert promote(run.rollout) is None
    assert "took the promotion back" in run.lines[-1]
    assert rollout.ledger.read("deployment/promoted.reverted") is not None
    state = endpoints.describe(clients, endpoint)
    assert state is not None
    assert (state.config, state.pending) == (f"{endpoint}-config", None)
    assert promote(run.rollout) is None
