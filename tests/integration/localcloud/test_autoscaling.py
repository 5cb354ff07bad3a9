"""Automatic scaling on the real program: real invocations make real instances come and go."""

import threading
from typing import Any

import pytest

RESOURCE = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/e/variant/production",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}
SCALE = 60  # a minute of the local cloud in a second


@pytest.fixture
def scaling(own_program: Any, hosting: Any) -> Any:
    hosted = hosting(own_program)
    hosted.model("m", LOCAL_ANSWER="1")
    hosted.config("c", "m")
    hosted.create("e", "c")
    own_program.ask("/_local/clock", {"scale": SCALE})
    client = own_program.client("application-autoscaling")
    client.register_scalable_target(**RESOURCE, MinCapacity=1, MaxCapacity=3)
    client.put_scaling_policy(
        PolicyName="load",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 1.0,
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"
            },
            "ScaleInCooldown": 0,
            "ScaleOutCooldown": 60,
        },
        **RESOURCE,
    )
    return client


def described(program: Any) -> dict[str, Any]:
    (variant,) = program.client("sagemaker").describe_endpoint(EndpointName="e")["ProductionVariants"]
    return dict(variant)


def test_load_starts_instances_within_the_bounds(own_program: Any, scaling: Any, wait_until: Any) -> None:
    stopping = threading.Event()
    runtime = own_program.client("sagemaker-runtime")

    def call() -> None:
        while not stopping.wait(0.02):
            runtime.invoke_endpoint(EndpointName="e", Body=b"1")

    caller = threading.Thread(target=call)
    caller.start()
    try:
        assert wait_until(lambda: len(own_program.instances("e")["production"]) == 3, 60)
    finally:
        stopping.set()
        caller.join()
    assert wait_until(lambda: described(own_program)["CurrentInstanceCount"] == 3)
    assert described(own_program)["DesiredInstanceCount"] == 3
    assert wait_until(
        lambda: (
            scaling.describe_scaling_activities(**RESOURCE)["ScalingActivities"][0]["StatusCode"]
            == "Successful"
        )
    )


def test_targets_are_kept_when_the_program_is_killed(own_program: Any, scaling: Any, wait_until: Any) -> None:
    scaling.register_scalable_target(**RESOURCE, MinCapacity=2, MaxCapacity=3)
    assert wait_until(lambda: described(own_program)["CurrentInstanceCount"] == 2)
    own_program.stop(9)
    own_program.start()
    again = own_program.client("application-autoscaling")
    (target,) = again.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 3)
    (policy,) = again.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    assert len(policy["Alarms"]) == 2
    assert len(own_program.instances("e")["production"]) == 2
    own_program.client("sagemaker").update_endpoint_weights_and_capacities(
        EndpointName="e",
        DesiredWeightsAndCapacities=[{"VariantName": "production", "DesiredInstanceCount": 1}],
    )
    assert wait_until(lambda: described(own_program)["CurrentInstanceCount"] == 2, 60)  # brought back
