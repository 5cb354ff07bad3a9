"""Whatever part of the stack is on trial (model, container image, instance type), its rollout runs end to end.

Production is a real XGBoost model in SageMaker's own image. The three rollouts run at once, each on its own endpoint.
"""

from __future__ import annotations

import io
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import pytest
import xgboost

from include.aws import endpoints
from include.aws.clients import Clients, connect
from include.rollout.verdict import End
from include.steps.settle import settle
from tests.integration.rollouts.conftest import BUCKET, PERIOD, ROLE, Drive, document, resources, session

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.0-5"
PATCHED = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.0-6"
BASELINE, NEWER = f"s3://{BUCKET}/comparisons/baseline.tar.gz", f"s3://{BUCKET}/comparisons/newer.tar.gz"
ASKED = "0.3,0.9"

COMPARISONS: dict[str, dict[str, Any]] = {
    "model": {"candidate": {"artifact": NEWER}},
    "image": {"candidate": {"image": PATCHED}},
    "instances": {"candidate": {"instance_type": "ml.c5.large"}, "promotion": {"settings": "shadow"}},
}


@dataclass(kw_only=True)
class Comparison:
    """One comparison's endpoint, before and after its rollout."""

    clients: Clients
    endpoint: str
    drive: Drive
    before: str  # what production answered
    end: End | None = None

    @property
    def production(self) -> dict[str, Any]:
        """Return production's variant as the config now has it, once nothing else is on the endpoint."""
        state = endpoints.describe(self.clients, self.endpoint)
        assert state is not None
        assert state.in_service
        assert not state.shadow
        config = endpoints.describe_config(self.clients, state.config)
        assert config is not None
        (variant,) = config["ProductionVariants"]
        return dict(variant)

    @property
    def container(self) -> dict[str, Any]:
        """Return the container that production runs, a package resolved."""
        described = self.clients.sagemaker.describe_model(ModelName=self.production["ModelName"])
        container: dict[str, Any] = described["PrimaryContainer"]
        if "ModelPackageName" not in container:
            return container
        package = self.clients.sagemaker.describe_model_package(
            ModelPackageName=container["ModelPackageName"]
        )
        return dict(package["InferenceSpecification"]["Containers"][0])

    @property
    def approval(self) -> str:
        """Return the approval status of the package that the rollout registered."""
        package = self.drive.rollout.ledger.require("candidate")["package"]
        return str(
            self.clients.sagemaker.describe_model_package(ModelPackageName=package)["ModelApprovalStatus"]
        )


def model(*, flipped: bool) -> bytes:
    """Train a small model, and pack it as SageMaker's XGBoost image wants it."""
    rows = numpy.random.default_rng(7).random((200, 2))
    left = (rows[:, 0] > rows[:, 1]) != flipped
    booster = xgboost.train(
        {"objective": "binary:logistic", "nthread": 1}, xgboost.DMatrix(rows, left, nthread=1), 3
    )
    content, packed = bytes(booster.save_raw("ubj")), io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("xgboost-model")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def make(clients: Clients, name: str) -> str:
    sagemaker, endpoint = clients.sagemaker, f"compare-{name}"
    sagemaker.create_model(
        ModelName=f"{endpoint}-model",
        ExecutionRoleArn=ROLE,
        PrimaryContainer={"Image": IMAGE, "ModelDataUrl": BASELINE, "Environment": {"KEPT": "as it is"}},
    )
    variant = {
        "VariantName": "production",
        "ModelName": f"{endpoint}-model",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
        "InitialVariantWeight": 1.0,
    }
    sagemaker.create_endpoint_config(
        EndpointConfigName=f"{endpoint}-config",
        ProductionVariants=[variant],
        MetricsConfig={"EnableEnhancedMetrics": True, "MetricPublishFrequencyInSeconds": PERIOD},
    )
    sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=f"{endpoint}-config")
    deadline = time.monotonic() + 60
    while sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointStatus"] != "InService":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return endpoint


def answer(clients: Clients, endpoint: str) -> str:
    runtime = clients.session.client("sagemaker-runtime", endpoint_url=clients.endpoint_urls[""])
    found = runtime.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body=ASKED)
    return str(found["Body"].read().decode())


@pytest.fixture(scope="module")
def compared(cloud_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Comparison]:
    """Run the three comparisons at once and return each by its name."""
    folder: Path = tmp_path_factory.mktemp("comparisons")
    source = folder / "requests.csv"
    source.write_text("".join(f"{i / 500},{1 - i / 700}\n" for i in range(500)))
    clients = connect(session(), {"": cloud_url})
    for uri, flipped in ((BASELINE, False), (NEWER, True)):
        clients.s3.put_object(
            Bucket=BUCKET, Key=uri.removeprefix(f"s3://{BUCKET}/"), Body=model(flipped=flipped)
        )

    def compare(name: str) -> Comparison:
        own = connect(session(), {"": cloud_url})
        endpoint = make(own, name)
        spec = {**document(endpoint, str(source), replay={"rate": 50}), **COMPARISONS[name]}
        run = Drive(clients=own, spec=spec, folder=folder)
        comparison = Comparison(clients=own, endpoint=endpoint, drive=run, before=answer(own, endpoint))
        comparison.end = run.all()
        return comparison

    with ThreadPoolExecutor(len(COMPARISONS)) as pool:
        return dict(zip(COMPARISONS, pool.map(compare, COMPARISONS), strict=True))


@pytest.mark.parametrize("name", COMPARISONS)
def test_each_comparison_is_promoted_under_productions_name(
    compared: dict[str, Comparison], name: str
) -> None:
    found = compared[name]
    assert found.end is End.PROMOTED, found.drive.lines
    assert found.production["VariantName"] == "production"
    assert found.container["Environment"] == {"KEPT": "as it is"}
    assert found.drive.rollout.leases.current(found.endpoint) is None


def test_a_new_model_answers_in_productions_image_and_is_approved(compared: dict[str, Comparison]) -> None:
    found = compared["model"]
    assert (found.container["Image"], found.container["ModelDataUrl"]) == (IMAGE, NEWER)
    assert found.production["InstanceType"] == "ml.m5.large"
    assert float(found.before) < 0.5 < float(answer(found.clients, found.endpoint))
    assert found.approval == "Approved"


def test_a_patched_image_serves_productions_own_model_and_is_approved(
    compared: dict[str, Comparison],
) -> None:
    found = compared["image"]
    assert (found.container["Image"], found.container["ModelDataUrl"]) == (PATCHED, BASELINE)
    assert found.production["InstanceType"] == "ml.m5.large"
    assert answer(found.clients, found.endpoint) == found.before
    assert found.approval == "Approved"


def test_another_instance_type_serves_productions_own_model_and_registers_nothing(
    compared: dict[str, Comparison],
) -> None:
    found = compared["instances"]
    assert found.production["InstanceType"] == "ml.c5.large"
    assert found.production["ModelName"] == f"{found.endpoint}-model"
    assert answer(found.clients, found.endpoint) == found.before
    candidate = found.drive.rollout.ledger.require("candidate")
    assert (candidate["package"], candidate["registered"], candidate["created"]) == (None, False, False)
    groups = found.clients.sagemaker.list_model_package_groups(NameContains=found.endpoint)
    assert groups["ModelPackageGroupSummaryList"] == []
    state = endpoints.describe(found.clients, found.endpoint)
    assert state is not None
    assert resources(found.clients, found.drive.rollout.id) == [state.config]


def test_giving_up_on_other_instances_leaves_productions_model_where_it_is(
    compared: dict[str, Comparison], tmp_path: Path
) -> None:
    """The candidate is production's own model: settling may not delete it, nor say anything about a package."""
    found = compared["image"]
    serving = found.production
    run = Drive(clients=found.clients, spec=found.drive.spec | COMPARISONS["instances"], folder=tmp_path)
    run.begin()
    assert run.step(settle) is End.CRASHED
    assert found.production == serving
    assert found.clients.sagemaker.describe_model(ModelName=serving["ModelName"])
    assert found.approval == "Approved"
    assert resources(found.clients, run.rollout.id) == []
