"""The strategy `managed`: the same rollout with SageMaker's own shadow test, whoever ends it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from include.aws import endpoints, experiments
from include.aws.clients import Clients
from include.ledger.objects import Kind, begun_key
from include.rollout.errors import DeploymentError, ForeignChangeError, RefusedError
from include.rollout.experiment import Edit, experiment_name, withdrawal
from include.rollout.names import moment
from include.rollout.stage import Stage
from include.rollout.verdict import Conclusion, End, Verdict
from include.steps.conclude import conclude
from include.steps.decide import decide
from include.steps.edit import resamplings
from include.steps.experiment import find
from include.steps.judge import settle_verdict
from include.steps.observe import observe
from include.steps.promote import promote
from include.steps.restore import roll_back
from include.steps.rollback import take_back
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


def edit_when_open(run: Drive, edit: Edit) -> None:
    """Edit the test as a person does, once a period was looked at."""

    def say() -> None:
        deadline = time.monotonic() + 60
        while not run.rollout.ledger.keys("tick/") and time.monotonic() < deadline:
            time.sleep(0.2)
        conclude(run.rollout, Conclusion.EDIT, who="Ada", why="it copes", edit=edit)

    threading.Thread(target=say, daemon=True).start()


def ask(run: Drive, **edit: Any) -> str:
    return conclude(run.rollout, Conclusion.EDIT, who="Ada", why="a test", edit=Edit(**edit))


def notes(run: Drive, count: int) -> list[dict[str, Any]]:
    """Look until there are so many notes of the test, and give them."""
    deadline = time.monotonic() + 60
    while True:
        run.lines += observe(run.rollout).lines
        found = list(run.rollout.ledger.read_many(run.rollout.ledger.keys("test/")).values())
        if len(found) >= count:
            assert len(found) == count
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def test_a_healthy_candidate_is_promoted_under_productions_name(
    clients: Clients, endpoint: str, drive: Make
) -> None:
    """On the way its sampling is doubled, and the evidence is held against what was in force."""
    run = managed(drive, sampling=0.5, window={"length": 40, "maximum": 60})
    run.begin()
    running = experiment_of(clients, run)
    assert running["Status"] == "Running"
    assert running["ShadowModeConfig"]["ShadowModelVariants"][0]["SamplingPercentage"] == 50
    schedule = running["Schedule"]
    assert (schedule["EndTime"] - schedule["StartTime"]).total_seconds() >= 3600
    edit_when_open(run, Edit(sampling=1.0))
    assert run.watch() is Verdict.PROMOTE, "\n".join(run.lines[-20:])
    # On a slow machine the edit may come late: then fewer periods have the new sampling, or none.
    evidence = run.rollout.ledger.require("evidence/1")
    (change,) = evidence["resamplings"]
    step = timedelta(seconds=evidence["period"])
    expected = [0.5] if moment(evidence["begin"]) + step <= moment(change["after"]) else []
    if change["by"] is not None and moment(change["by"]) <= moment(evidence["end"]) - step:
        expected.append(1.0)
    completeness = run.rollout.ledger.require("finding/1")["findings"][0]
    assert [level["sampling"] for level in completeness["details"]["samplings"]] == expected
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


def test_its_sampling_and_end_are_edited_while_it_runs(
    clients: Clients, endpoint: str, drive: Make, faults: Callable[..., None]
) -> None:
    """Nobody calls the endpoint: looks alone carry an edit out, whoever was killed when."""
    run = managed(drive, window=LONG)
    with pytest.raises(RefusedError, match="not running yet"):
        ask(run, sampling=0.5)
    run.begin()
    (begun,) = notes(run, 1)
    end = moment(begun["end"])
    later = end + timedelta(hours=2)
    ask(run, sampling=0.5, end=later)
    with pytest.raises(RefusedError, match=r"copies 50% .* already, or was asked to"):
        ask(run, sampling=0.5)
    edited = notes(run, 2)[1]
    assert (edited["who"], edited["why"], edited["request"]) == ("Ada", "a test", "conclude/0001")
    assert edited["was"] == {"sampling": 1.0, "end": begun["end"]}
    described = experiment_of(clients, run)
    assert described["ShadowModeConfig"]["ShadowModelVariants"][0]["SamplingPercentage"] == 50
    assert (described["Schedule"]["EndTime"], moment(edited["end"])) == (later, later)
    state = endpoints.describe(clients, endpoint)
    assert state is not None
    assert state.shadow[0].weight == 0.5

    # Killed after SageMaker heard, before anybody noted it.
    ask(run, sampling=0.25)
    found = find(run.rollout)
    assert found is not None
    experiments.update(clients, found, sampling=0.25, end=found.end)
    assert notes(run, 3)[2]["who"] == "Ada"

    # Somebody edits it in SageMaker's console while a person's edit waits.
    ask(run, sampling=0.75)
    clients.sagemaker.update_inference_experiment(
        Name=described["Name"], Schedule={"EndTime": later - timedelta(hours=1)}
    )
    wait_running(clients, run)
    theirs, ours = notes(run, 5)[3:]
    assert (theirs["who"], theirs["sampling"]) == ("somebody outside the rollout", 0.25)
    assert moment(theirs["end"]) == later - timedelta(hours=1)
    assert (ours["who"], ours["sampling"], ours["end"]) == ("Ada", 0.75, theirs["end"])

    # What SageMaker refuses is noted, and not asked for again.
    faults(operation="UpdateInferenceExperiment", code="ValidationException", status=400, times=1)
    ask(run, sampling=1.0)
    refused = notes(run, 6)[5]
    assert (refused["sampling"], "ValidationException" in refused["refused"]) == (0.75, True)
    run.lines += observe(run.rollout).lines
    assert len(notes(run, 6)) == 6
    assert [change.sampling for change in resamplings(run.rollout)] == [0.5, 0.25, 0.75]
    assert run.step(settle) is End.CRASHED
    page = run.rollout.ledger.read_page()
    assert page is not None
    assert b"changed the sampling from 100 % to 50 %" in page


def test_an_edit_that_a_rollout_cannot_take_is_refused_in_a_sentence(clients: Clients, drive: Make) -> None:
    run = managed(
        drive,
        window={**LONG, "maximum": 9000},
        candidate={"instance_count": 1},
        promotion={"settings": "shadow"},
    )
    run.begin()
    now = run.rollout.now()
    for edit, said in (
        ({}, "nothing to edit"),
        ({"sampling": 0.5}, "only proven at sampling 1"),
        ({"end": now + timedelta(hours=3)}, "may need its shadow until"),
        ({"end": now + timedelta(days=31)}, "1 hour to 30 days"),
    ):
        with pytest.raises(RefusedError, match=said):
            ask(run, **edit)
    with pytest.raises(RefusedError, match="belong to edit alone"):
        conclude(run.rollout, Conclusion.REMOVE, who="Ada", why="a test", edit=Edit(sampling=0.5))

    # Somebody lets it end too early: that is told, and an extension moves the end behind the longer window.
    clients.sagemaker.update_inference_experiment(
        Name=experiment_of(clients, run)["Name"], Schedule={"EndTime": now + timedelta(minutes=90)}
    )
    wait_running(clients, run)
    notes(run, 2)
    assert any("may end before the rollout is through" in line for line in run.lines)
    conclude(run.rollout, Conclusion.EXTEND, who="Ada", why="a quiet night", seconds=300)
    moved = notes(run, 3)[2]
    assert moment(moved["end"]) >= now + timedelta(seconds=9000 + 300 + 3600)

    # Somebody samples less: the shadow's instances are not proven any more.
    found = find(run.rollout)
    assert found is not None
    experiments.update(clients, found, sampling=0.5, end=found.end)
    wait_running(clients, run)
    notes(run, 4)
    decided(run)
    run.step(roll_back)
    assert run.step(settle) is End.INCONCLUSIVE
    assert "only 50% of the requests were copied" in run.rollout.ledger.require("decision")["why"]


def wait_running(clients: Clients, run: Drive) -> None:
    deadline = time.monotonic() + 60
    while experiment_of(clients, run)["Status"] != "Running":
        assert time.monotonic() < deadline
        time.sleep(0.1)


def decided(run: Drive) -> None:
    """Let the gates have promoted, without a window."""
    verdict = {"verdict": "PROMOTE", "reading": 1, "closed": "end", "gate": None, "evidence": ""}
    run.rollout.write(Kind.VERDICT, {**verdict, "reason": "every gate that binds passed"})
    decide(run.rollout)


def test_sagemaker_itself_promotes_under_the_shadows_name_and_the_way_back_is_ours(
    clients: Clients, endpoint: str, drive: Make
) -> None:
    promotion = {"by": "sagemaker", "instance_type": "ml.c5.large", "instance_count": 3}
    run = managed(drive, promotion=promotion, candidate={"instance_type": "ml.m5.xlarge"})
    run.begin()
    assert any("WARNING: promotion.by is sagemaker" in line for line in run.lines)
    decided(run)
    run.step(promote)
    assert run.step(settle) is End.PROMOTED
    config, shadows = serves(clients, endpoint)
    described = endpoints.describe_config(clients, config)
    assert described is not None
    (production,) = described["ProductionVariants"]
    model = run.rollout.ledger.require("candidate")["model"]
    assert (shadows, production["VariantName"], production["ModelName"]) == (0, "shadow", model)
    assert (production["InstanceType"], production["InitialInstanceCount"]) == ("ml.c5.large", 3)
    assert run.rollout.ledger.require("promotion")["config"] == config
    assert resources(clients, run.rollout.id) == sorted([config, model])
    arn = clients.sagemaker.describe_endpoint_config(EndpointConfigName=config)["EndpointConfigArn"]
    assert endpoints.tags(clients, arn)["penumbra:expires"] == "never"
    assert take_back(run.rollout, who="Ada", why="a test") == f"{endpoint}-config"
    state = endpoints.describe(clients, endpoint)
    assert state is not None
    assert [variant.name for variant in state.production] == ["production"]


def test_sagemakers_promote_at_somebody_elses_word_is_a_foreign_change(
    clients: Clients, endpoint: str, drive: Make
) -> None:
    """They promote just before the rollout does: its own stop is not heard, and it does not take theirs for its own."""
    run = managed(drive, promotion={"by": "sagemaker"})
    run.begin()
    decided(run)
    run.rollout.write(begun_key(Stage.PROMOTED), {"stage": Stage.PROMOTED.value})
    clients.sagemaker.stop_inference_experiment(
        Name=experiment_of(clients, run)["Name"],
        ModelVariantActions={"production": "Remove", "shadow": "Promote"},
        DesiredState="Completed",
        Reason="I know better",
    )
    with pytest.raises(ForeignChangeError):
        run.step(promote)
    assert run.step(settle) is End.FOREIGN_CHANGE
    state = endpoints.describe(clients, endpoint)
    assert state is not None
    assert [variant.name for variant in state.production] == ["shadow"]


def test_a_test_that_was_stopped_before_sagemaker_promoted_it_is_restored(
    clients: Clients, endpoint: str, drive: Make
) -> None:
    run = managed(drive, promotion={"by": "sagemaker"})
    run.begin()
    decided(run)
    experiments.stop(clients, withdrawal(run.rollout.id, run.rollout.baseline))
    with pytest.raises(DeploymentError, match="the candidate was not promoted"):
        run.step(promote)
    assert run.step(settle) is End.CRASHED
    assert serves(clients, endpoint) == (f"{endpoint}-config", 0)
    assert resources(clients, run.rollout.id) == []
