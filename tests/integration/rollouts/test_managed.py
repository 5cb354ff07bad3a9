"""The strategy `managed`: the same rollout with SageMaker's own shadow test, whoever ends it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from include.aws import endpoints
from include.aws.clients import Clients
from include.rollout.errors import ForeignChangeError
from include.rollout.experiment import experiment_name
from include.rollout.verdict import End, Verdict
from include.steps.judge import settle_verdict
from include.steps.settle import settle
from tests.integration.rollouts.conftest import Drive, resources, serves

Make = Callable[..., Drive]
LONG = {"length": 300, "maximum": 600}


def managed(drive: Make, **changes: Any) -> Drive:
    return drive(strategy="managed", **changes)


def experiment_of(clients: Clients, run: Drive) -> dict[str, Any]:
    name = experiment_name(run.rollout.id, run.rollout.baseline)
    described: dict[str, Any] = clients.sagemaker.describe_inference_experiment(Name=name)
    return described


def stop_when_open(clients: Clients, run: Drive, shadow: str) -> threading.Thread:
    """Stop the test as a person does in the SageMaker console, once the window is open."""

    def stop() -> None:
        deadline = time.monotonic() + 60
        while run.rollout.ledger.read("window") is None and time.monotonic() < deadline:
            time.sleep(0.2)
        clients.sagemaker.stop_inference_experiment(
            Name=experiment_of(clients, run)["Name"],
            ModelVariantActions={
                "production": "Remove" if shadow == "Promote" else "Retain",
                "shadow": shadow,
            },
            DesiredState="Completed",
            Reason="it costs too much",
        )

    thread = threading.Thread(target=stop, daemon=True)
    thread.start()
    return thread


def test_a_healthy_candidate_is_promoted_under_productions_name(
    clients: Clients, endpoint: str, drive: Make
) -> None:
    run = managed(drive, sampling=0.5)
    run.begin()
    running = experiment_of(clients, run)
    assert running["Status"] == "Running"
    assert running["ShadowModeConfig"]["ShadowModelVariants"][0]["SamplingPercentage"] == 50
    schedule = running["Schedule"]
    assert (schedule["EndTime"] - schedule["StartTime"]).total_seconds() >= 3600
    assert run.watch() is Verdict.PROMOTE
    assert run.finish() is End.PROMOTED
    config, shadows = serves(clients, endpoint)
    described = endpoints.describe_config(clients, config)
    assert described is not None
    model = run.rollout.ledger.require("candidate")["model"]
    (production,) = described["ProductionVariants"]
    assert (shadows, production["VariantName"], production["ModelName"]) == (0, "production", model)
    assert resources(clients, run.rollout.id) == sorted([config, model])
    assert experiment_of(clients, run)["Status"] == "Completed"


def test_a_failing_candidate_is_aborted_and_the_endpoint_is_as_before(
    clients: Clients, endpoint: str, drive: Make
) -> None:
    run = managed(drive, candidate={"environment": {"LOCAL_ERROR_SHARE": "0.3"}})
    run.begin()
    before = run.rollout.baseline
    assert run.watch() is Verdict.ROLL_BACK
    assert run.finish() is End.ROLLED_BACK
    assert serves(clients, endpoint) == (f"{endpoint}-config", 0)
    assert endpoints.describe_config(clients, f"{endpoint}-config") == before.config
    assert resources(clients, run.rollout.id) == []
    assert run.rollout.leases.current(endpoint) is None


@pytest.mark.parametrize("shadow", ["Remove", "Retain"])
def test_a_test_that_somebody_stopped_is_noticed_and_rolled_back(
    clients: Clients, endpoint: str, drive: Make, shadow: str
) -> None:
    run = managed(drive, window=LONG)
    run.begin()
    stop_when_open(clients, run, shadow)
    run.watch()
    assert run.finish() is End.ROLLED_BACK
    decision = run.rollout.ledger.require("decision")
    assert decision["who"] == "somebody outside the rollout"
    assert experiment_of(clients, run)["Name"] in decision["why"]
    assert serves(clients, endpoint) == (f"{endpoint}-config", 0)
    assert resources(clients, run.rollout.id) == []


def test_a_promotion_outside_the_rollout_is_a_foreign_change(
    clients: Clients, endpoint: str, drive: Make
) -> None:
    run = managed(drive, window=LONG)
    run.begin()
    stop_when_open(clients, run, "Promote").join(timeout=0.1)
    try:
        run.watch()
        settle_verdict(run.rollout)
    except ForeignChangeError:
        pass  # seen while the window was open; settling says so
    assert run.step(settle) is End.FOREIGN_CHANGE
    state = endpoints.describe(clients, endpoint)
    assert state is not None
    assert [variant.name for variant in state.production] == ["shadow"]
    model = run.rollout.ledger.require("candidate")["model"]
    assert model in resources(clients, run.rollout.id), "the model serves"
    assert run.rollout.leases.current(endpoint) is None


def test_a_managed_rollout_that_died_is_settled(clients: Clients, endpoint: str, drive: Make) -> None:
    run = managed(drive)
    run.begin()
    assert serves(clients, endpoint)[1] == 1
    assert run.step(settle) is End.CRASHED
    assert serves(clients, endpoint) == (f"{endpoint}-config", 0)
    assert resources(clients, run.rollout.id) == []
    assert experiment_of(clients, run)["Status"] == "Completed"
