"""Which candidate a recurring refresh finds next, on a real local cloud and a real ledger."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from include.aws import artifacts
from include.aws.clients import Clients
from include.ledger.store import Store
from include.rollout.errors import CloudError, RefusedError
from include.rollout.spec import merge, parse
from include.rollout.verdict import End
from include.steps.refresh import Nothing, Proposal, Search, find_candidate
from include.steps.register import register
from include.steps.settle import settle
from tests.integration.rollouts.conftest import BUCKET, ROLE, Drive, document, make_endpoint

HOPELESS = {"gates": {"rules": [{"kind": "completeness"}, {"kind": "min_sample", "requests": 10**9}]}}


class Stage:
    """One endpoint with a spec to refresh it, and a place of its own where candidates arrive."""

    def __init__(self, clients: Clients, endpoint: str, source: str, folder: Path) -> None:
        self.clients, self.endpoint, self.folder = clients, endpoint, folder
        self.prefix = f"s3://{BUCKET}/{endpoint}/models/"
        self.document = document(endpoint, source)
        self.document["candidate"] = {"package_group": endpoint}
        self.document["refresh"] = {"schedule": "@daily", "artifacts": self.prefix}

    def put(self, name: str, content: str = "a model") -> str:
        uri = self.prefix + name
        bucket, key = artifacts.split(uri)
        self.clients.s3.put_object(Bucket=bucket, Key=key, Body=content.encode())
        return uri

    def search(self, **changes: Any) -> Search:
        return Search(
            name="specs/nightly.yaml",
            spec=parse(merge(self.document, changes), "nightly"),
            clients=self.clients,
            store=Store(f"s3://{BUCKET}/ledger", self.clients.store_access()),
        )

    def find(self, again: str = "", **changes: Any) -> Proposal | Nothing:
        return find_candidate(replace(self.search(**changes), again=again))

    def proposed(self, again: str = "", **changes: Any) -> Proposal:
        found = self.find(again, **changes)
        assert isinstance(found, Proposal), found
        return found

    def nothing(self, **changes: Any) -> str:
        found = self.find(**changes)
        assert isinstance(found, Nothing), found
        return found.why

    def start(self, proposal: Proposal, **changes: Any) -> Drive:
        """Start the proposed rollout, as far as its steps are asked for."""
        spec = merge(merge(self.document, proposal.overrides), changes)
        return Drive(clients=self.clients, spec=spec, folder=self.folder, run_id=proposal.run_id)

    def crash(self, proposal: Proposal) -> None:
        """Try the proposal, without coming to a decision."""
        run = self.start(proposal)
        run.open()
        assert run.step(settle) is End.CRASHED

    def refuse(self, proposal: Proposal) -> None:
        with pytest.raises(RefusedError):
            self.start(proposal, **HOPELESS).open()


@pytest.fixture
def stage(clients: Clients, endpoint: str, source: str, tmp_path: Path) -> Stage:
    return Stage(clients, endpoint, source, tmp_path)


def artifact_of(proposal: Proposal) -> str:
    return str(proposal.overrides["candidate"]["artifact"])


def test_the_newest_artefact_comes_first_then_the_next_then_a_sentence(stage: Stage) -> None:
    older, newer = stage.put("z.tar.gz"), stage.put("a.tar.gz")
    stage.put("notes.txt")
    first = stage.proposed()
    assert artifact_of(first) == newer
    assert stage.proposed() == first
    stage.crash(first)
    second = stage.proposed()
    assert artifact_of(second) == older
    assert second.run_id != first.run_id
    stage.refuse(second)
    assert stage.nothing() == (
        f"every candidate in {stage.prefix} was tried before (the 2 newest were looked at)"
    )
    newest = stage.put("b.tar.gz")
    assert artifact_of(stage.proposed()) == newest


def test_a_candidate_that_a_person_started_counts_as_tried(stage: Stage) -> None:
    uri = stage.put("m.tar.gz")
    by_hand = Proposal(run_id=f"manual__{uuid4()}", overrides={"candidate": {"artifact": uri}}, why="")
    stage.crash(by_hand)
    assert "tried before" in stage.nothing()


def test_an_artefact_written_anew_under_its_name_is_a_new_candidate(stage: Stage) -> None:
    stage.put("latest.tar.gz", "one")
    first = stage.proposed()
    stage.crash(first)
    stage.put("latest.tar.gz", "one")
    assert "tried before" in stage.nothing()
    stage.put("latest.tar.gz", "two")
    assert stage.proposed().run_id != first.run_id


def test_again_proposes_the_newest_whatever_was_tried_under_a_run_id_of_its_own(stage: Stage) -> None:
    uri = stage.put("m.tar.gz")
    first = stage.proposed()
    stage.crash(first)
    again = stage.proposed(again="abc")
    assert artifact_of(again) == uri
    assert again == stage.proposed(again="abc")
    assert len({first.run_id, again.run_id, stage.proposed(again="xyz").run_id}) == 3


def test_with_retry_a_rollout_without_a_judgement_does_not_count(stage: Stage) -> None:
    stage.put("m.tar.gz")
    retrying = {"refresh": {"retry": True}}
    first = stage.proposed(**retrying)
    run = stage.start(first)
    run.open()
    assert "tried before" in stage.nothing(**retrying, when_busy="wait")  # it is running
    run.step(settle)
    second = stage.proposed(**retrying)
    assert second.run_id == f"{first.run_id}__1"
    stage.refuse(second)
    assert stage.proposed(**retrying).run_id == f"{first.run_id}__2"
    assert "tried before" in stage.nothing()


def test_a_refresh_never_goes_behind_what_production_serves(
    clients: Clients, source: str, tmp_path: Path
) -> None:
    place = f"s3://{BUCKET}/{uuid4().hex}/"
    bucket, prefix = artifacts.split(place)
    for name in ("older", "served"):
        clients.s3.put_object(Bucket=bucket, Key=f"{prefix}{name}.tar.gz", Body=b"a model")
    endpoint = make_endpoint(clients)
    clients.sagemaker.create_model(
        ModelName=f"{endpoint}-served",
        ExecutionRoleArn=ROLE,
        PrimaryContainer={"Image": "penumbra/light:1", "ModelDataUrl": f"{place}served.tar.gz"},
    )
    config = clients.sagemaker.describe_endpoint_config(EndpointConfigName=f"{endpoint}-config")
    clients.sagemaker.create_endpoint_config(
        EndpointConfigName=f"{endpoint}-served",
        ProductionVariants=[{**config["ProductionVariants"][0], "ModelName": f"{endpoint}-served"}],
        MetricsConfig=config["MetricsConfig"],
    )
    clients.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=f"{endpoint}-served")
    clients.sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=endpoint, WaiterConfig={"Delay": 1})
    stage = Stage(clients, endpoint, source, tmp_path)
    stage.document["refresh"]["artifacts"] = place
    assert stage.nothing() == f"endpoint {endpoint} serves {place}served.tar.gz already"
    clients.s3.put_object(Bucket=bucket, Key=f"{prefix}a-newer.tar.gz", Body=b"a model")
    newer = stage.proposed()
    assert artifact_of(newer) == f"{place}a-newer.tar.gz"
    stage.crash(newer)
    assert stage.nothing().endswith("served.tar.gz already, and the one newer was tried before")


def test_a_busy_endpoint_spends_no_candidate(stage: Stage) -> None:
    stage.put("m.tar.gz")
    other = Proposal(run_id=f"manual__{uuid4()}", overrides={"candidate": {"image": "x:2"}}, why="")
    run = stage.start(other)
    run.open()
    assert run.rollout.id in stage.nothing()
    assert stage.proposed(when_busy="wait")
    run.step(settle)
    assert stage.proposed()


def test_a_dead_rollout_keeps_no_refresh_away(stage: Stage) -> None:
    stage.put("m.tar.gz")
    other = Proposal(run_id=f"manual__{uuid4()}", overrides={"candidate": {"image": "x:2"}}, why="")
    stage.start(other).open()
    found = find_candidate(replace(stage.search(), owner_is_over=lambda lease: True))
    assert isinstance(found, Proposal)


def register_by_hand(clients: Clients, group: str, *, approval: str, **metadata: str) -> str:
    answer = clients.sagemaker.create_model_package(
        ModelPackageGroupName=group,
        ModelApprovalStatus=approval,
        InferenceSpecification={
            "Containers": [{"Image": "penumbra/light:2"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        CustomerMetadataProperties=metadata,
    )
    return str(answer["ModelPackageArn"])


def test_a_package_group_gives_its_newest_version_that_passes_the_filters(stage: Stage) -> None:
    clients, group = stage.clients, f"{stage.endpoint}-models"
    stage.document["refresh"] = {"schedule": "@daily", "package_group": group, "metadata": {"team": "churn"}}
    clients.sagemaker.create_model_package_group(ModelPackageGroupName=group)
    assert stage.nothing() == f"{group} holds no candidate yet"
    wanted = register_by_hand(clients, group, approval="Approved", team="churn")
    newer = register_by_hand(clients, group, approval="PendingManualApproval", team="churn")
    register_by_hand(clients, group, approval="Approved", team="another")
    first = stage.proposed()
    assert first.overrides["candidate"]["package"] == wanted
    pending = stage.proposed(refresh={"approval": "PendingManualApproval"})
    assert pending.overrides["candidate"]["package"] == newer
    run = stage.start(first)
    run.open()
    assert register(run.rollout)["package"] == wanted
    assert run.step(settle) is End.CRASHED
    described = clients.sagemaker.describe_model_package(ModelPackageName=wanted)
    assert described["ModelApprovalStatus"] == "Approved"
    assert "tried before" in stage.nothing()


def test_a_package_that_a_rollout_registered_was_tried_by_it(stage: Stage) -> None:
    stage.put("m.tar.gz")
    run = stage.start(stage.proposed())
    run.open()
    register(run.rollout)
    run.step(settle)
    source = {"artifacts": None, "package_group": stage.endpoint, "approval": "PendingManualApproval"}
    assert "tried before" in stage.nothing(refresh=source)


def test_a_local_folder_gives_the_file_written_last(stage: Stage, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    for age, name in ((100, "b"), (0, "a"), (200, "c")):
        (folder / f"{name}.tar.gz").write_text(name)
        os.utime(folder / f"{name}.tar.gz", (1_700_000_000 - age,) * 2)
    stage.document["refresh"]["artifacts"] = str(folder)
    found = stage.proposed()
    assert artifact_of(found) == str(folder / "a.tar.gz")
    stage.crash(found)
    assert artifact_of(stage.proposed()) == str(folder / "b.tar.gz")


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"endpoint": {"name": "nowhere"}}, RefusedError, "endpoint nowhere does not exist"),
        ({"refresh": {"artifacts": "s3://no-such-bucket/x/"}}, CloudError, "create the bucket"),
        ({"refresh": {"artifacts": "no/such/folder"}}, RefusedError, "is not a folder"),
        (
            {"refresh": {"artifacts": None, "package_group": "no-such"}},
            CloudError,
            "Listing the packages of no-such",
        ),
        (
            {"refresh": None, "candidate": {"artifact": "s3://bucket/model.tar.gz"}},
            RefusedError,
            "no refresh section",
        ),
    ],
    ids=["endpoint", "bucket", "folder", "group", "no refresh"],
)
def test_what_is_not_there_is_said_in_a_sentence(
    stage: Stage, change: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        stage.find(**change)


def test_an_empty_place_holds_no_candidate_and_too_full_a_place_is_refused(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stage.nothing() == f"{stage.prefix} holds no candidate yet"
    for name in "abc":
        stage.put(f"{name}.tar.gz")
    monkeypatch.setattr(artifacts, "_MOST", 2)
    with pytest.raises(RefusedError, match="name a narrower prefix"):
        stage.find()
