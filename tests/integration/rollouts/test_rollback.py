"""The fast lane back from a promoted rollout, over the command line."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from include.aws import endpoints
from include.aws.clients import Clients
from include.cli.__main__ import main
from include.ledger.lease import OwnerRun
from include.rollout.verdict import End
from include.steps.settle import settle
from tests.integration.rollouts.conftest import REGION, Drive, promote_now, serves

Make = Callable[..., Drive]
Roll = Callable[[str], int]


@pytest.fixture
def roll_back(cloud_url: str, monkeypatch: pytest.MonkeyPatch) -> Roll:
    """Call the command as a person would."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")

    def call(rollout: str) -> int:
        place = ["--ledger", "s3://rollouts/ledger", "--region", REGION, "--endpoint-url", cloud_url]
        return main(["rollback", rollout, "--who", "Ada", "--why", "wrong prices", *place])

    return call


def promoted(drive: Make) -> Drive:
    run = drive(promotion={"override": True})
    run.begin()
    promote_now(run)
    run.watch()
    assert run.finish() is End.PROMOTED
    return run


def test_a_promotion_is_taken_back_at_once_and_recorded(
    clients: Clients, endpoint: str, drive: Make, roll_back: Roll, capsys: pytest.CaptureFixture[str]
) -> None:
    run = promoted(drive)
    before = run.rollout.baseline.config
    assert roll_back(run.rollout.id) == 0
    assert serves(clients, endpoint) == (f"{endpoint}-config", 0)
    assert endpoints.describe_config(clients, f"{endpoint}-config") == before
    ledger = run.rollout.ledger
    said = [ledger.require(key) for key in ledger.keys("rollback/")]
    assert [(each["who"], each["why"], each["done"]) for each in said] == [
        ("Ada", "wrong prices", False),
        ("Ada", "wrong prices", True),
    ]
    assert ledger.require("outcome")["end"] == "PROMOTED"
    assert run.rollout.leases.current(endpoint) is None
    package = clients.sagemaker.describe_model_package(
        ModelPackageName=ledger.require("candidate")["package"]
    )
    assert package["CustomerMetadataProperties"]["penumbra-rollback"] == "Ada: wrong prices"
    assert package["ModelApprovalStatus"] == "Approved"
    capsys.readouterr()
    assert roll_back(run.rollout.id) == 2
    assert f"serves {endpoint}-config already" in capsys.readouterr().err


def test_a_rollback_that_cannot_be_is_refused_in_a_sentence(
    clients: Clients, endpoint: str, drive: Make, roll_back: Roll, capsys: pytest.CaptureFixture[str]
) -> None:
    run = promoted(drive)
    serving = serves(clients, endpoint)
    leases, now = run.rollout.leases, run.rollout.now()
    other = leases.acquire(
        endpoint,
        "bbbbbbbbbbbb",
        OwnerRun(dag_id="shadow_rollout", run_id="another", airflow="http://here"),
        now=now,
        until=now.replace(year=now.year + 1),
        owner_is_over=lambda lease: None,
    )
    assert roll_back(run.rollout.id) == 2
    assert "held by rollout bbbbbbbbbbbb" in capsys.readouterr().err
    leases.release(other)
    clients.sagemaker.delete_model(ModelName=f"{endpoint}-model")
    assert roll_back(run.rollout.id) == 2
    assert f"model {endpoint}-model" in capsys.readouterr().err
    assert serves(clients, endpoint) == serving
    config = endpoints.describe_config(clients, serving[0])
    assert config is not None
    clients.sagemaker.create_endpoint_config(**config | {"EndpointConfigName": f"{endpoint}-next"})
    clients.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=f"{endpoint}-next")
    assert roll_back(run.rollout.id) == 2
    assert f"went on to endpoint config {endpoint}-next" in capsys.readouterr().err
    assert run.rollout.ledger.keys("rollback/") == []
    assert leases.current(endpoint) is None


def test_only_a_promoted_rollout_is_rolled_back(
    drive: Make, roll_back: Roll, capsys: pytest.CaptureFixture[str]
) -> None:
    run = drive()
    run.open()
    assert roll_back(run.rollout.id) == 2
    assert "still runs" in capsys.readouterr().err
    run.step(settle)
    assert roll_back(run.rollout.id) == 2
    assert "ended as CRASHED and promoted nothing" in capsys.readouterr().err
    assert roll_back("aaaaaaaaaaaa") == 2
    assert "no rollout aaaaaaaaaaaa" in capsys.readouterr().err
