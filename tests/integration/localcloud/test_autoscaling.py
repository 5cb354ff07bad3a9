"""Automatic scaling on the real program: real invocations make real instances come and go."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

RESOURCE = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/e/variant/production",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}
SCALE = 60  # a minute of the local cloud in a second


class Load:
    """One client that calls the endpoint `e` fifty times a second at most."""

    def __init__(self, program: Any) -> None:
        self.failures: list[Exception] = []
        self._runtime = program.client("sagemaker-runtime", retries={"total_max_attempts": 1})
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._call)
        self._thread.start()

    def _call(self) -> None:
        while not self._stopping.wait(0.02):
            try:
                self._runtime.invoke_endpoint(EndpointName="e", Body=b"1")
            except Exception as error:
                self.failures.append(error)

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()


@pytest.fixture
def load(own_program: Any, scaling: Any) -> Iterator[Load]:
    load = Load(own_program)
    yield load
    load.stop()


@pytest.fixture
def scaling(own_program: Any, hosting: Any) -> Any:
    hosted = hosting(own_program)
    hosted.model("m", LOCAL_ANSWER="1")
    hosted.config("c", "m")
    hosted.create("e", "c")
    own_program.ask("/_local/clock", {"scale": SCALE})
    client = own_program.client("application-autoscaling")
    client.register_scalable_target(**RESOURCE, MinCapacity=1, MaxCapacity=3)
    follow(client, 1.0)
    return client


def follow(client: Any, target: float) -> None:
    """Put the policy that keeps so many invocations a minute per instance."""
    metric = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
    client.put_scaling_policy(
        PolicyName="load",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": target,
            "PredefinedMetricSpecification": metric,
            "ScaleInCooldown": 0,
            "ScaleOutCooldown": 60,
        },
        **RESOURCE,
    )


def described(program: Any) -> dict[str, Any]:
    (variant,) = program.client("sagemaker").describe_endpoint(EndpointName="e")["ProductionVariants"]
    return dict(variant)


def instances(program: Any) -> int:
    return len(program.instances("e")["production"])


def test_load_starts_instances_within_the_bounds_and_less_of_it_stops_them(
    own_program: Any, scaling: Any, load: Load, wait_until: Any
) -> None:
    def settled(count: int) -> bool:
        variant = described(own_program)
        shown = {variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]}
        (newest, *_) = scaling.describe_scaling_activities(**RESOURCE)["ScalingActivities"]
        return shown == {count} and newest["StatusCode"] == "Successful"

    assert wait_until(lambda: instances(own_program) == 3, 60)
    assert wait_until(lambda: settled(3), 60)
    follow(scaling, 1_000_000.0)  # the same load is next to nothing for this target
    assert wait_until(lambda: instances(own_program) == 1, 90)
    assert wait_until(lambda: settled(1), 60)
    assert load.failures == []


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
