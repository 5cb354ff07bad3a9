"""Both scenarios that every user of shadow tests knows, as boto3 scripts told where AWS is by AWS_ENDPOINT_URL alone.

The models and the customers are made here; names, images, counts, weights and the number of requests are those of
the public example.
"""

import datetime
import io
import json
import tarfile
import time
from collections.abc import Iterator
from typing import Any

import boto3
import numpy as np
import pytest
import xgboost
from botocore.exceptions import WaiterError

COLUMNS, ROWS, ROUNDS = 69, 334, 10
BUCKET = "sagemaker-us-east-1-123456789012"
REGISTRY = "683313688378.dkr.ecr.us-east-1.amazonaws.com"
SOON = {"Delay": 1, "MaxAttempts": 60}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


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


@pytest.fixture
def cloud(own_program: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A local cloud that this process takes for AWS."""
    for name, value in {
        "AWS_ENDPOINT_URL": own_program.url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    yield own_program
    own_program.ask("/_local/clock", {"scale": 1})


def role() -> str:
    """Return a role, made as a person makes one, with no more than SageMaker may assume."""
    created = boto3.client("iam").create_role(
        RoleName="shadow-tests", AssumeRolePolicyDocument=json.dumps(TRUST)
    )
    arn: str = created["Role"]["Arn"]
    return arn


def uploaded(name: str, archive: bytes) -> str:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key=f"sagemaker/DEMO-xgboost/{name}.tar.gz", Body=archive)
    return f"s3://{BUCKET}/sagemaker/DEMO-xgboost/{name}.tar.gz"


def metric_sums(cloud: Any, endpoint: str, variant: str, since: datetime.datetime) -> dict[str, float]:
    """Return the sums, since then, of the metrics that a person compares."""
    names = (
        "Invocations",
        "InvocationsPerInstance",
        "ModelLatency",
        "OverheadLatency",
        "InvocationModelErrors",
    )
    now = datetime.datetime.fromtimestamp(cloud.ask("/_local/clock")["now"], datetime.UTC)
    dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}]
    sums = {}
    for name in names:
        points = boto3.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=name,
            Dimensions=dimensions,
            StartTime=since,
            EndTime=now,
            Period=60,
            Statistics=["Sum"],
        )["Datapoints"]
        sums[name] = sum(point["Sum"] for point in points)
    return sums


def test_self_service_with_the_apis(cloud: Any) -> None:
    since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=2)
    sagemaker, runtime = boto3.client("sagemaker"), boto3.client("sagemaker-runtime")
    arn, stamp = role(), time.strftime("%Y-%m-%d-%H-%M-%S")
    deployed, newer = trained(10), trained(40)
    names = []
    for prefix, tag, (_, archive) in (
        ("DEMO-xgb-churn-pred", "0.90-1", deployed),
        ("DEMO-xgb-churn-pred2", "0.90-2", newer),
    ):
        names.append(f"{prefix}-{stamp}")
        container = {
            "Image": f"{REGISTRY}/sagemaker-xgboost:{tag}-cpu-py3",
            "ModelDataUrl": uploaded(prefix, archive),
        }
        sagemaker.create_model(ModelName=names[-1], ExecutionRoleArn=arn, PrimaryContainer=container)

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

    # every row ten times, one after another, each accounted for
    rows = customers(2, ROWS)
    expected = deployed[0].predict(xgboost.DMatrix(rows, nthread=1)).tolist()
    lines = [",".join(map(str, row)).encode() for row in rows.tolist()]
    for _ in range(ROUNDS):
        for line, probability in zip(lines, expected, strict=True):
            answer = runtime.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body=line)
            assert answer["InvokedProductionVariant"] == "production"
            assert float(answer["Body"].read()) == probability  # production's, never the shadow's

    cloud.let_pass(minutes=1.5)
    production = metric_sums(cloud, endpoint, "production", since)
    shadow = metric_sums(cloud, endpoint, "shadow", since)
    sent = ROWS * ROUNDS
    assert production["Invocations"] == sent
    assert abs(shadow["Invocations"] - sent / 2) < 5 * (sent / 4) ** 0.5  # five standard deviations
    assert production["InvocationsPerInstance"] == sent / 2
    assert shadow["InvocationsPerInstance"] == shadow["Invocations"]
    assert production["InvocationModelErrors"] == shadow["InvocationModelErrors"] == 0
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


@pytest.mark.parametrize("decision", ["promote", "remove"])
def test_a_managed_shadow_test(cloud: Any, decision: str) -> None:
    sagemaker, runtime = boto3.client("sagemaker"), boto3.client("sagemaker-runtime")
    arn, endpoint, name = role(), "xgb-prod-shadow-1", "churn-shadow-test"
    for model, answer in (("prod", "0.25"), ("candidate", "0.75")):
        container = {"Image": "penumbra/light:1", "Environment": {"LOCAL_ANSWER": answer}}
        sagemaker.create_model(ModelName=model, ExecutionRoleArn=arn, PrimaryContainer=container)

    def variant(its_name: str, model: str, count: int) -> dict[str, Any]:
        return {
            "VariantName": its_name,
            "ModelName": model,
            "InfrastructureConfig": {
                "InfrastructureType": "RealTimeInference",
                "RealTimeInferenceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": count},
            },
        }

    sagemaker.create_inference_experiment(
        Name=name,
        Type="ShadowMode",
        RoleArn=arn,
        EndpointName=endpoint,
        ModelVariants=[variant("AllTraffic", "prod", 1), variant("Shadow-01", "candidate", 1)],
        ShadowModeConfig={
            "SourceModelVariantName": "AllTraffic",
            "ShadowModelVariants": [{"ShadowModelVariantName": "Shadow-01", "SamplingPercentage": 100}],
        },
    )

    def becomes(status: str) -> dict[str, Any]:
        for _ in range(300):
            described: dict[str, Any] = sagemaker.describe_inference_experiment(Name=name)
            if described["Status"] == status:
                return described
            time.sleep(0.1)
        raise AssertionError(f"{described['Status']}: {described.get('StatusReason')}")

    running = becomes("Running")
    length = running["Schedule"]["EndTime"] - running["Schedule"]["StartTime"]
    assert length == datetime.timedelta(days=7)
    (listed,) = sagemaker.list_inference_experiments()["InferenceExperiments"]
    assert (listed["Name"], listed["Status"]) == (name, "Running")
    since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=2)
    for _ in range(50):
        sent = runtime.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body=b"1")
        assert sent["Body"].read() == b"0.25"
    cloud.let_pass(minutes=1.5)
    for each in ("AllTraffic", "Shadow-01"):
        assert metric_sums(cloud, endpoint, each, since)["Invocations"] == 50

    # a person completes it
    promote = decision == "promote"
    kept = "Shadow-01" if promote else "AllTraffic"
    sagemaker.stop_inference_experiment(
        Name=name,
        ModelVariantActions={
            "AllTraffic": "Remove" if promote else "Retain",
            "Shadow-01": "Promote" if promote else "Remove",
        },
        DesiredModelVariants=[variant(kept, "candidate" if promote else "prod", 1)],
        DesiredState="Completed",
        Reason="seen enough",
    )
    becomes("Completed")
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=endpoint, WaiterConfig=SOON)
    described = sagemaker.describe_endpoint(EndpointName=endpoint)
    assert [each["VariantName"] for each in described["ProductionVariants"]] == [kept]
    assert not described.get("ShadowProductionVariants")
    sent = runtime.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body=b"1")
    assert sent["Body"].read() == (b"0.75" if promote else b"0.25")


def test_the_waiters_end_as_on_aws(cloud: Any) -> None:
    sagemaker = boto3.client("sagemaker")
    container = {"Image": "penumbra/unheard-of:1"}
    sagemaker.create_model(ModelName="m", ExecutionRoleArn=role(), PrimaryContainer=container)
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
