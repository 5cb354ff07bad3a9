"""A shadow beside a production that scales automatically: it scales too, and nothing of that is left behind."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from include.aws.clients import Clients
from include.aws.scaling import targets
from include.rollout.spec import Strategy
from include.rollout.verdict import Action, End
from include.steps.decide import decide
from include.steps.deploy import deploy_shadow
from include.steps.judge import settle_verdict, take_reading
from include.steps.observe import Closed, observe, stop_replay
from include.steps.promote import promote
from include.steps.restore import roll_back
from include.steps.rollback import take_back
from include.steps.settle import settle
from tests.integration.rollouts.conftest import (
    POLICY,
    Drive,
    make_endpoint,
    promote_now,
    resources,
    scale,
    serves,
)

Make = Callable[..., Drive]


@pytest.fixture
def scaled(request: pytest.FixtureRequest, clients: Clients, drive: Make) -> Drive:
    """Give a rollout whose shadow serves, on an endpoint of two instances that scales."""
    name = make_endpoint(clients, instances=2)
    scale(clients, name)
    run = drive(
        endpoint={"name": name},
        strategy=getattr(request, "param", Strategy.SELF_SERVICE).value,
        promotion={"override": True},
    )
    run.begin()
    return run


def name_of(run: Drive) -> str:
    return str(run.spec["endpoint"]["name"])


def scales(run: Drive, variant: str) -> list[tuple[int, int, list[str]]]:
    found = targets(run.clients, name_of(run), variant)
    return [(t["MinCapacity"], t["MaxCapacity"], [p["PolicyName"] for p in t["policies"]]) for t in found]


def conclude(run: Drive) -> Action:
    promote_now(run)
    assert observe(run.rollout).closed is Closed.CONCLUDED
    take_reading(run.rollout, Closed.CONCLUDED)
    stop_replay(run.rollout, Closed.CONCLUDED)
    settle_verdict(run.rollout)
    return decide(run.rollout)


@pytest.mark.parametrize("scaled", list(Strategy), indirect=True)
def test_the_shadow_scales_while_it_is_there_and_production_ever_after(
    clients: Clients, scaled: Drive
) -> None:
    run, as_before = scaled, [(1, 3, [POLICY])]
    described = clients.sagemaker.describe_endpoint(EndpointName=name_of(run))
    (shadow,) = described["ShadowProductionVariants"]
    assert shadow["DesiredInstanceCount"] == 2
    assert scales(run, "production") == scales(run, "shadow") == as_before
    assert any("variant shadow scales from 1 to 3 instances, by follow" in line for line in run.lines)
    assert deploy_shadow(run.rollout) is None  # cleared once more
    assert conclude(run) is Action.PROMOTE
    run.step(promote)
    assert run.step(settle) is End.PROMOTED
    assert serves(clients, name_of(run))[1] == 0
    assert (scales(run, "production"), scales(run, "shadow")) == (as_before, [])


def test_sagemakers_own_promote_leaves_the_new_name_scaling_and_the_way_back_the_old_one(
    clients: Clients, drive: Make
) -> None:
    name, as_before = make_endpoint(clients), [(1, 3, [POLICY])]
    scale(clients, name)
    run = drive(
        endpoint={"name": name},
        strategy="managed",
        promotion={"override": True, "by": "sagemaker"},
    )
    run.begin()
    assert conclude(run) is Action.PROMOTE
    run.step(promote)
    assert run.step(settle) is End.PROMOTED
    assert (scales(run, "production"), scales(run, "shadow")) == ([], as_before)
    take_back(run.rollout, who="Ada", why="a test", sleep=lambda _: time.sleep(0.2))
    assert serves(clients, name) == (f"{name}-config", 0)
    assert (scales(run, "production"), scales(run, "shadow")) == (as_before, [])


def test_a_shadow_whose_count_is_fixed_does_not_scale(clients: Clients, drive: Make) -> None:
    name = make_endpoint(clients)
    scale(clients, name)
    run = drive(endpoint={"name": name}, candidate={"instance_count": 1})
    run.begin()
    assert scales(run, "shadow") == []
    assert run.step(settle) is End.CRASHED
    assert scales(run, "production") == [(1, 3, [POLICY])]


def test_a_rollout_that_dies_takes_the_shadows_target_with_it(clients: Clients, scaled: Drive) -> None:
    run = scaled
    assert run.step(settle) is End.CRASHED
    assert serves(clients, name_of(run)) == (f"{name_of(run)}-config", 0)
    assert (scales(run, "production"), scales(run, "shadow")) == ([(1, 3, [POLICY])], [])
    assert resources(clients, run.rollout.id) == []


def test_a_target_whose_endpoint_somebody_deleted_goes_too(clients: Clients, scaled: Drive) -> None:
    run = scaled
    clients.sagemaker.delete_endpoint(EndpointName=name_of(run))
    clients.sagemaker.get_waiter("endpoint_deleted").wait(
        EndpointName=name_of(run), WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    assert scales(run, "shadow") != []  # a target outlives its endpoint
    assert run.step(settle) is End.FOREIGN_CHANGE
    assert scales(run, "shadow") == []
    assert f"endpoint/{name_of(run)}/variant/shadow" in run.rollout.ledger.require("cleanup")["deleted"]


def test_what_somebody_else_serves_keeps_its_target(clients: Clients, scaled: Drive) -> None:
    run = scaled
    shadow = targets(clients, name_of(run), "shadow")
    config = clients.sagemaker.describe_endpoint_config(EndpointConfigName=serves(clients, name_of(run))[0])
    (production,) = config["ProductionVariants"]
    (beside,) = config["ShadowProductionVariants"]
    # By hand, as the blog has it: the shadow's name takes production's place.
    clients.scaling.deregister_scalable_target(
        ServiceNamespace="sagemaker",
        ResourceId=f"endpoint/{name_of(run)}/variant/production",
        ScalableDimension="sagemaker:variant:DesiredInstanceCount",
    )
    theirs = f"{name_of(run)}-by-hand"
    clients.sagemaker.create_endpoint_config(
        EndpointConfigName=theirs, ProductionVariants=[{**production, "VariantName": beside["VariantName"]}]
    )
    clients.sagemaker.update_endpoint(EndpointName=name_of(run), EndpointConfigName=theirs)
    assert run.step(settle) is End.FOREIGN_CHANGE
    assert targets(clients, name_of(run), "shadow") == shadow


def test_rolling_back_deregisters_before_the_shadow_goes(clients: Clients, scaled: Drive) -> None:
    run = scaled
    decision = {"action": Action.ROLL_BACK.value, "end": End.ROLLED_BACK.value, "verdict": "ROLL_BACK"}
    run.rollout.write("decision", {**decision, "who": "the gates", "why": "a test", "evidence": ""})
    run.step(roll_back)
    assert run.step(settle) is End.ROLLED_BACK
    assert (scales(run, "production"), scales(run, "shadow")) == ([(1, 3, [POLICY])], [])
