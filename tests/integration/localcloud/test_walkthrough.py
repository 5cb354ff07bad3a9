"""The self-service shadow test of the public example, as a boto3 script told where AWS is by AWS_ENDPOINT_URL alone.

The models and the customers are made here; names, images, counts, weights and the number of requests are those of
the public example.
"""

import datetime
import io
import tarfile
import time
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
import xgboost
from botocore.exceptions import WaiterError

from tests.integration.localcloud.metrics import sums

COLUMNS, ROWS, TIMES = 69, 334, 10
BUCKET = "sagemaker-us-east-1-123456789012"
REGISTRY = "683313688378.dkr.ecr.us-east-1.amazonaws.com"
SOON = {"Delay": 1, "MaxAttempts": 60}


def customers(seed: int, count: int) -> Any:
    return np.random.default_rng(seed).normal(size=(count, COLUMNS)).astype(np.float32)


def trained(rounds: int) -> tuple[xgboost.Booster, bytes]:
    """Return a model that learnt which customers leave, and its archive."""
    rows = customers(1, 600)
    data = xgboost.DMatrix(rows, label=(rows[:, 0] + rows[:, 1] * rows[:, 2] > 0.5), nthread=1)
    booster = xgboost.train({"objective": "binary:logistic", "nthread": 1, "seed": 1}, data, rounds)
    model, packed = booster.save_raw("ubj"), io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("xgboost-model")
        member.size = len(model)
        tar.addfile(member, io.BytesIO(bytes(model)))
    return booster, packed.getvalue()


def uploaded(folder: Path, name: str, archive: bytes) -> str:
    (folder / f"{name}.tar.gz").write_bytes(archive)
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.upload_file(str(folder / f"{name}.tar.gz"), BUCKET, f"sagemaker/DEMO-xgboost/{name}.tar.gz")
    return f"s3://{BUCKET}/sagemaker/DEMO-xgboost/{name}.tar.gz"


@pytest.fixture
def apart(request: pytest.FixtureRequest) -> float:
    """How many seconds the example's requests are apart; in the ordinary run each follows the last at once."""
    return 0.01 if request.config.getoption("--soak") else 0.0


@pytest.mark.timeout(600)  # with the pauses of the full form it takes a minute at least
def test_self_service_with_the_apis(cloud: Any, role: str, tmp_path: Path, apart: float) -> None:
    since = datetime.datetime.now(datetime.UTC)
    sagemaker, runtime = boto3.client("sagemaker"), boto3.client("sagemaker-runtime")
    stamp = time.strftime("%Y-%m-%d-%H-%M-%S")
    deployed, newer = trained(10), trained(40)
    names = []
    for prefix, tag, (_, archive) in (
        ("DEMO-xgb-churn-pred", "0.90-1", deployed),
        ("DEMO-xgb-churn-pred2", "0.90-2", newer),
    ):
        names.append(f"{prefix}-{stamp}")
        container = {
            "Image": f"{REGISTRY}/sagemaker-xgboost:{tag}-cpu-py3",
            "ModelDataUrl": uploaded(tmp_path, prefix, archive),
        }
        sagemaker.create_model(ModelName=names[-1], ExecutionRoleArn=role, PrimaryContainer=container)

    # a new endpoint: production on two instances, the shadow on one with half of the requests
    def variant(name: str, model: str, count: int, weight: float) -> dict[str, Any]:
        return {
            "VariantName": name,
            "ModelName": model,
            "InstanceType": "ml.m5.xlarge",
            "InitialInstanceCount": count,
            "InitialVariantWeight": weight,
        }

    with_shadow, endpoint = f"Shadow-EpConfig-{stamp}", f"xgb-prod-shadow-{stamp}"
    sagemaker.create_endpoint_config(
        EndpointConfigName=with_shadow,
        ProductionVariants=[variant("production", names[0], 2, 1.0)],
        ShadowProductionVariants=[variant("shadow", names[1], 1, 0.5)],
    )
    sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=with_shadow)
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=endpoint, WaiterConfig=SOON)
    described = sagemaker.describe_endpoint(EndpointName=endpoint)
    assert [each["CurrentInstanceCount"] for each in described["ProductionVariants"]] == [2]
    assert [each["VariantName"] for each in described["ShadowProductionVariants"]] == ["shadow"]

    # every row ten times in a row, one request after another, each accounted for
    rows = customers(2, ROWS)
    expected = deployed[0].predict(xgboost.DMatrix(rows, nthread=1)).tolist()
    lines = [",".join(map(str, row)).encode() for row in rows.tolist()]
    for line, probability in zip(lines, expected, strict=True):
        for _ in range(TIMES):
            time.sleep(apart)
            answer = runtime.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body=line)
            assert answer["InvokedProductionVariant"] == "production"
            assert float(answer["Body"].read()) == probability  # production's, never the shadow's

    cloud.let_pass(minutes=1.5)
    cloudwatch = boto3.client("cloudwatch")
    production = sums(cloudwatch, endpoint, "production", since)
    shadow = sums(cloudwatch, endpoint, "shadow", since)
    sent = ROWS * TIMES
    assert production["Invocations"] == sent
    assert abs(shadow["Invocations"] - sent / 2) < 5 * (sent / 4) ** 0.5  # five standard deviations
    assert production["InvocationsPerInstance"] == sent / 2
    assert shadow["InvocationsPerInstance"] == shadow["Invocations"]
    for errors in ("Invocation4XXErrors", "Invocation5XXErrors", "InvocationModelErrors"):
        assert production[errors] == shadow[errors] == 0
    assert production["ModelLatency"] / sent > 10  # microseconds: a model really ran
    assert shadow["ModelLatency"] > 0
    assert production["OverheadLatency"] > 0

    # promote: the shadow's model alone, by blue/green
    promoted = f"PromoteShadow-EpConfig-{stamp}"
    sagemaker.create_endpoint_config(
        EndpointConfigName=promoted, ProductionVariants=[variant("shadow", names[1], 2, 1.0)]
    )
    sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=promoted)
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=endpoint, WaiterConfig=SOON)
    described = sagemaker.describe_endpoint(EndpointName=endpoint)
    assert described["EndpointConfigName"] == promoted
    assert "ShadowProductionVariants" not in described
    answer = runtime.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body=lines[0])
    newly = newer[0].predict(xgboost.DMatrix(rows[:1], nthread=1)).tolist()
    assert (answer["InvokedProductionVariant"], float(answer["Body"].read())) == ("shadow", newly[0])

    sagemaker.delete_endpoint(EndpointName=endpoint)
    sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=endpoint, WaiterConfig=SOON)
    for config in (with_shadow, promoted):
        sagemaker.delete_endpoint_config(EndpointConfigName=config)
    for model in names:
        sagemaker.delete_model(ModelName=model)
    for listed, key in (("list_models", "Models"), ("list_endpoint_configs", "EndpointConfigs")):
        assert getattr(sagemaker, listed)()[key] == []


def test_the_waiters_end_as_on_aws(cloud: Any, role: str) -> None:
    sagemaker = boto3.client("sagemaker")
    container = {"Image": "penumbra/unheard-of:1"}
    sagemaker.create_model(ModelName="m", ExecutionRoleArn=role, PrimaryContainer=container)
    sagemaker.create_endpoint_config(
        EndpointConfigName="c",
        ProductionVariants=[
            {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        ],
    )
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c")
    with pytest.raises(WaiterError, match="terminal failure state"):
        sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="e", WaiterConfig=SOON)
    assert "no local runtime" in sagemaker.describe_endpoint(EndpointName="e")["FailureReason"]
    sagemaker.delete_endpoint(EndpointName="e")
    sagemaker.get_waiter("endpoint_deleted").wait(EndpointName="e", WaiterConfig=SOON)
    with pytest.raises(WaiterError, match="ValidationException"):
        sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="e", WaiterConfig=SOON)
