"""The errors that the service models name come as the exceptions that clients catch."""

from typing import Any

import pytest

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/penumbra/light:1"
ROLE = "arn:aws:iam::123456789012:role/serving"


def model_variant(name: str) -> dict[str, Any]:
    return {
        "ModelName": "m",
        "VariantName": name,
        "InfrastructureConfig": {
            "InfrastructureType": "RealTimeInference",
            "RealTimeInferenceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        },
    }


def create(sagemaker: Any, name: str, endpoint: str) -> None:
    sagemaker.create_inference_experiment(
        Name=name,
        Type="ShadowMode",
        RoleArn=ROLE,
        EndpointName=endpoint,
        ModelVariants=[model_variant("a"), model_variant("b")],
        ShadowModeConfig={
            "SourceModelVariantName": "a",
            "ShadowModelVariants": [{"ShadowModelVariantName": "b", "SamplingPercentage": 10}],
        },
    )


@pytest.fixture(scope="module")
def sagemaker(contract: Any) -> Any:
    client = contract.client("sagemaker")
    client.create_model(ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": IMAGE})
    create(client, "first", "tried")
    return client


@pytest.mark.parametrize(("name", "endpoint"), [("first", "other"), ("second", "tried")])
def test_a_name_or_an_endpoint_in_use(sagemaker: Any, name: str, endpoint: str) -> None:
    with pytest.raises(sagemaker.exceptions.ResourceInUse) as caught:
        create(sagemaker, name, endpoint)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize("operation", ["describe", "update", "start", "stop", "delete"])
def test_an_experiment_that_does_not_exist(sagemaker: Any, operation: str) -> None:
    more = {"ModelVariantActions": {"b": "Remove"}} if operation == "stop" else {}
    with pytest.raises(sagemaker.exceptions.ResourceNotFound) as caught:
        getattr(sagemaker, f"{operation}_inference_experiment")(Name="none", **more)
    assert "inference-experiment/none" in caught.value.response["Error"]["Message"]
    assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 0


@pytest.mark.parametrize("operation", ["start", "delete"])
def test_an_operation_that_the_status_does_not_allow(sagemaker: Any, operation: str) -> None:
    with pytest.raises(sagemaker.exceptions.ConflictException):
        getattr(sagemaker, f"{operation}_inference_experiment")(Name="first")


def test_alarms_and_scaling(contract: Any) -> None:
    cloudwatch, scaling = contract.client("cloudwatch"), contract.client("application-autoscaling")
    with pytest.raises(cloudwatch.exceptions.ResourceNotFound) as caught:
        cloudwatch.set_alarm_state(AlarmName="none", StateValue="OK", StateReason="r")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    with pytest.raises(cloudwatch.exceptions.InvalidNextToken):
        cloudwatch.describe_alarms(NextToken="?")
    with pytest.raises(scaling.exceptions.InvalidNextTokenException):
        scaling.describe_scalable_targets(ServiceNamespace="sagemaker", NextToken="?")
    with pytest.raises(scaling.exceptions.ValidationException):
        scaling.register_scalable_target(
            ServiceNamespace="sagemaker",
            ResourceId="endpoint/none/variant/v",
            ScalableDimension="sagemaker:variant:DesiredInstanceCount",
            MinCapacity=1,
            MaxCapacity=2,
        )
