"""The managed shadow test, step by step as its users do it, as a boto3 script told where AWS is by AWS_ENDPOINT_URL alone."""

import datetime
import time
from typing import Any

import boto3
import pytest

from tests.integration.localcloud.metrics import INVOCATION, sums

NAME, ENDPOINT = "churn-shadow-test", "xgb-prod-shadow-1"
SOON = {"Delay": 1, "MaxAttempts": 60}
PRODUCTION, SHADOW = ("ml.m5.xlarge", 1), ("ml.c5.xlarge", 2)  # instance type and count
WEEK = datetime.timedelta(days=7)  # how long a test lasts when nobody says it


def variant(name: str, model: str, settings: tuple[str, int]) -> dict[str, Any]:
    return {
        "VariantName": name,
        "ModelName": model,
        "InfrastructureConfig": {
            "InfrastructureType": "RealTimeInference",
            "RealTimeInferenceConfig": dict(zip(("InstanceType", "InstanceCount"), settings, strict=True)),
        },
    }


class ManagedTest:
    """Both models, the test on its endpoint, and what a person sees of it."""

    def __init__(self, cloud: Any, role: str) -> None:
        self.cloud, self.role = cloud, role
        self.begun = datetime.datetime.now(datetime.UTC)
        self.sagemaker, self.runtime = boto3.client("sagemaker"), boto3.client("sagemaker-runtime")
        boto3.client("s3").create_bucket(Bucket="captured")
        for model, answer in (("prod", "0.25"), ("candidate", "0.75")):
            container = {"Image": "penumbra/light:1", "Environment": {"LOCAL_ANSWER": answer}}
            self.sagemaker.create_model(ModelName=model, ExecutionRoleArn=role, PrimaryContainer=container)

    def create(self) -> None:
        """Check that both models are there, and create the test on a new endpoint or an existing one."""
        for model in ("prod", "candidate"):
            assert self.sagemaker.describe_model(ModelName=model)["ExecutionRoleArn"] == self.role
        self.sagemaker.create_inference_experiment(
            Name=NAME,
            Type="ShadowMode",
            RoleArn=self.role,
            EndpointName=ENDPOINT,
            ModelVariants=[
                variant("AllTraffic", "prod", PRODUCTION),
                variant("Shadow-01", "candidate", SHADOW),
            ],
            ShadowModeConfig={
                "SourceModelVariantName": "AllTraffic",
                "ShadowModelVariants": [{"ShadowModelVariantName": "Shadow-01", "SamplingPercentage": 100}],
            },
            DataStorageConfig={
                "Destination": "s3://captured/test",
                "ContentType": {"CsvContentTypes": ["text/csv"]},
            },
        )
        running = self.becomes("Running")
        assert running["Schedule"]["EndTime"] - running["Schedule"]["StartTime"] == WEEK

    def becomes(self, status: str) -> dict[str, Any]:
        described: dict[str, Any] = {}
        for _ in range(300):
            described = self.sagemaker.describe_inference_experiment(Name=NAME)
            if described["Status"] == status:
                return described
            time.sleep(0.1)
        raise AssertionError(f"{described['Status']}: {described.get('StatusReason')}")

    def answer(self) -> tuple[str, bytes]:
        """Return which variant answered, and what."""
        sent = self.runtime.invoke_endpoint(EndpointName=ENDPOINT, ContentType="text/csv", Body=b"1")
        return sent["InvokedProductionVariant"], sent["Body"].read()

    def monitor(self) -> None:
        """See the test in the list, production alone answering, and the metrics of both variants."""
        (listed,) = self.sagemaker.list_inference_experiments()["InferenceExperiments"]
        assert (listed["Name"], listed["Status"]) == (NAME, "Running")
        assert {self.answer() for _ in range(50)} == {("AllTraffic", b"0.25")}
        self.cloud.let_pass(minutes=2.5)
        self.metrics_show(50)

    def metrics_show(self, requests: int) -> None:
        cloudwatch = boto3.client("cloudwatch")
        for each, (_, count) in (("AllTraffic", PRODUCTION), ("Shadow-01", SHADOW)):
            own = [{"Name": "EndpointName", "Value": ENDPOINT}, {"Name": "VariantName", "Value": each}]
            listed = {metric["MetricName"] for metric in cloudwatch.list_metrics(Dimensions=own)["Metrics"]}
            assert listed >= {*INVOCATION, "CPUUtilization", "MemoryUtilization", "DiskUtilization"}
            seen = sums(cloudwatch, ENDPOINT, each, self.begun)
            assert (seen["Invocations"], seen["InvocationsPerInstance"]) == (requests, requests / count)
            assert seen["ModelLatency"] > 0 < seen["OverheadLatency"]
            for errors in ("Invocation4XXErrors", "Invocation5XXErrors", "InvocationModelErrors"):
                assert seen[errors] == 0

    def serves(self, name: str, settings: tuple[str, int]) -> str:
        """Return the config of the endpoint, which serves from this variant alone, on such instances."""
        self.sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=ENDPOINT, WaiterConfig=SOON)
        described = self.sagemaker.describe_endpoint(EndpointName=ENDPOINT)
        config: str = described["EndpointConfigName"]
        (production,) = described["ProductionVariants"]
        (asked,) = self.sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
        assert production["VariantName"] == asked["VariantName"] == name
        assert (asked["InstanceType"], production["CurrentInstanceCount"]) == settings
        assert not described.get("ShadowProductionVariants")
        return config


@pytest.mark.parametrize(
    ("decision", "settings"),
    [
        ("remove", PRODUCTION),
        ("promote", PRODUCTION),
        ("promote", SHADOW),
        ("promote", ("ml.m5.2xlarge", 3)),
    ],
    ids=["remove", "promote on production's", "promote on the shadow's", "promote on others"],
)
def test_a_person_completes_a_managed_test_on_a_new_endpoint(
    cloud: Any, role: str, decision: str, settings: tuple[str, int]
) -> None:
    test = ManagedTest(cloud, role)
    test.create()
    test.monitor()
    promote = decision == "promote"
    kept, model = ("Shadow-01", "candidate") if promote else ("AllTraffic", "prod")
    test.sagemaker.stop_inference_experiment(
        Name=NAME,
        ModelVariantActions={
            "AllTraffic": "Remove" if promote else "Retain",
            "Shadow-01": "Promote" if promote else "Remove",
        },
        DesiredModelVariants=[variant(kept, model, settings)],
        DesiredState="Completed",
        Reason="seen enough",
    )
    assert test.becomes("Completed")["StatusReason"] == "seen enough"
    test.serves(kept, settings)
    assert test.answer() == (kept, b"0.75" if promote else b"0.25")


def test_a_managed_test_that_nobody_completes_ends_after_its_week_and_leaves_the_endpoint_as_it_was(
    cloud: Any, role: str
) -> None:
    test = ManagedTest(cloud, role)
    production = {"VariantName": "AllTraffic", "ModelName": "prod", "InitialVariantWeight": 1.0}
    before = ("ml.m5.large", 2)
    test.sagemaker.create_endpoint_config(
        EndpointConfigName="before",
        ProductionVariants=[production | {"InstanceType": before[0], "InitialInstanceCount": before[1]}],
    )
    test.sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName="before")
    assert test.serves("AllTraffic", before) == "before"
    test.create()
    test.monitor()
    planned = test.sagemaker.describe_inference_experiment(Name=NAME)["Schedule"]["EndTime"]
    cloud.ask("/_local/clock", {"scale": 500_000})  # the week passes in a second or two
    assert test.becomes("Completed")["CompletionTime"] >= planned
    cloud.ask("/_local/clock", {"scale": 1})
    assert test.serves("AllTraffic", before) == "before"
    assert test.answer() == ("AllTraffic", b"0.25")
    test.metrics_show(50)  # what was measured during the test is still there
    for side in ("AllTraffic", "Shadow-01"):
        prefix = f"test/{ENDPOINT}/{side}/"
        assert boto3.client("s3").list_objects_v2(Bucket="captured", Prefix=prefix)["KeyCount"] > 0
