"""Managed tests that SageMaker itself ends: by promoting the candidate, generation after generation, or by its schedule."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from include.aws import endpoints, experiments
from include.aws.clients import Clients, connect
from include.ledger.objects import Kind
from include.rollout.verdict import Action, End
from include.steps.decide import decide
from include.steps.experiment import find
from include.steps.judge import settle_verdict, take_reading
from include.steps.observe import Closed, observe
from include.steps.promote import promote
from include.steps.restore import roll_back
from include.steps.settle import settle
from tests.integration.rollouts.conftest import (
    Drive,
    ask_local,
    document,
    local_cloud,
    make_endpoint,
    note_window,
    resources,
    serves,
    session,
)
from tests.integration.rollouts.crashing import calling


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[str]:
    with local_cloud(tmp_path / "cloud") as url:
        yield url


def handed(clients: Clients, endpoint: str, folder: Path, run: int, **changes: object) -> Drive:
    """Make a rollout whose plan reckons with a replay, which nobody starts."""
    source = folder / "requests.csv"
    source.write_text("1,2,3\n" * 100)
    window = {"length": 300, "maximum": 300, "opening": 86400}
    candidate = {"environment": {"RUN": str(run)}}
    spec = document(endpoint, str(source), strategy="managed", candidate=candidate, window=window, **changes)
    return Drive(clients=clients, spec=spec, folder=folder)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_generation_after_generation_is_promoted_by_sagemaker_watched_and_tidied(
    cloud: str, tmp_path: Path
) -> None:
    """Each time the shadow's name becomes production's, and what came before the last generation is deleted."""
    clients = connect(session(), {"": cloud})
    endpoint = make_endpoint(clients)
    made: list[str] = []
    with calling(cloud, endpoint) as caller:
        for run, name in enumerate(("shadow", "shadow-2", "shadow")):
            drive = handed(clients, endpoint, tmp_path, run, promotion={"by": "sagemaker", "watch": 20})
            drive.begin()
            evidence = note_window(drive).to_document()
            drive.rollout.write(f"{Kind.EVIDENCE}/1", evidence)
            verdict = {"verdict": "PROMOTE", "reading": 1, "closed": "end", "gate": None, "evidence": ""}
            drive.rollout.write(Kind.VERDICT, {**verdict, "reason": "a test"})
            assert decide(drive.rollout) is Action.PROMOTE
            drive.step(promote)
            drive.look_after()
            looks = [key for key in drive.rollout.ledger.keys("watch/") if not key.endswith("over")]
            assert drive.rollout.ledger.require(looks[-1])["now"]["invocations"] > 0, drive.lines[-5:]
            assert drive.step(settle) is End.PROMOTED
            state = endpoints.describe(clients, endpoint)
            assert state is not None
            assert [variant.name for variant in state.production] == [name]
            made.append(drive.rollout.id)
    assert caller.failures == []
    assert resources(clients, made[0]) == []
    assert len(resources(clients, made[1])) == len(resources(clients, made[2])) == 2


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_test_that_its_schedule_ends_is_rolled_back_in_the_schedules_name(
    cloud: str, tmp_path: Path
) -> None:
    clients = connect(session(), {"": cloud})
    endpoint = make_endpoint(clients)
    drive = handed(clients, endpoint, tmp_path, 0, deploy_timeout=3600)
    drive.begin()
    found = find(drive.rollout)
    assert found is not None
    experiments.update(clients, found, sampling=1.0, end=found.start + timedelta(minutes=61))
    ask_local(cloud, "POST", "clock", {"scale": 600})
    try:
        deadline = time.monotonic() + 120
        while observe(drive.rollout).closed is not Closed.CONCLUDED:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        ask_local(cloud, "POST", "clock", {"scale": 1})
    drive.step(take_reading, Closed.CONCLUDED)
    settle_verdict(drive.rollout)
    assert decide(drive.rollout) is Action.ROLL_BACK
    drive.step(roll_back)
    assert drive.step(settle) is End.ROLLED_BACK
    assert drive.rollout.ledger.require(Kind.DECISION)["who"] == "the test's schedule"
    assert serves(clients, endpoint) == (f"{endpoint}-config", 0)
