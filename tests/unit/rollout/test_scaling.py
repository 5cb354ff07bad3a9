"""A shadow that scales as production does."""

from __future__ import annotations

from typing import Any

import pytest

from include.rollout.baseline import Baseline
from include.rollout.scaling import follows, most_instances, targets_of, uncopied
from include.rollout.spec import RolloutSpec
from include.rollout.stage import shadow_count
from tests.unit.rollout.test_capacity import asked

DIMENSION = "sagemaker:variant:DesiredInstanceCount"
OF = {"ResourceId": "endpoint/e/variant/blue", "ScalableDimension": DIMENSION}


def metric(variant: str) -> dict[str, Any]:
    of = [{"Name": "EndpointName", "Value": "e"}, {"Name": "VariantName", "Value": variant}]
    return {
        "TargetValue": 50.0,
        "CustomizedMetricSpecification": {
            "MetricName": "Invocations",
            "Namespace": "AWS/SageMaker",
            "Dimensions": of,
        },
    }


TARGET = {
    **OF,
    "MinCapacity": 2,
    "MaxCapacity": 6,
    "RoleARN": "arn:aws:iam::123456789012:role/aws-service-role/x",
    "SuspendedState": {"ScheduledScalingSuspended": True},
    "policies": [
        {
            **OF,
            "PolicyName": "follow",
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": metric("blue"),
        },
        {
            **OF,
            "PolicyName": "by-alarm",
            "PolicyType": "StepScaling",
            "StepScalingPolicyConfiguration": {"AdjustmentType": "ChangeInCapacity"},
        },
    ],
}


def scaled(**candidate: Any) -> tuple[RolloutSpec, Baseline]:
    return asked(live=3, scaling=(TARGET,), candidate={"instance_count": None, **candidate})


def test_the_target_is_productions_under_the_shadows_name() -> None:
    _, baseline = scaled()
    (found,) = targets_of(baseline, "shadow")
    of = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/e/variant/shadow",
        "ScalableDimension": DIMENSION,
    }
    suspended = {"ScheduledScalingSuspended": True}
    assert found.target == {**of, "MinCapacity": 2, "MaxCapacity": 6, "SuspendedState": suspended}
    assert found.policies == (
        {
            **of,
            "PolicyName": "follow",
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": metric("shadow"),
        },
    )
    assert found.words == "from 2 to 6 instances, by follow"
    assert uncopied(baseline) == ("by-alarm",)
    assert baseline.scaling[0]["policies"][0]["TargetTrackingScalingPolicyConfiguration"] == metric("blue")


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [
        ({}, True),
        ({"instance_count": 2}, False),
        ({"instance_count": 2, "autoscaling": True}, True),
        ({"autoscaling": False}, False),
    ],
)
def test_who_fixes_the_shadows_count_wants_it_fixed(candidate: dict[str, Any], expected: bool) -> None:
    spec, baseline = scaled(**candidate)
    assert follows(spec, baseline) is expected
    assert most_instances(spec, baseline, 2) == (6 if expected else 2)
    alone, still = asked(live=3, candidate={"instance_count": None, "autoscaling": True})
    assert not follows(alone, still)


def test_the_shadow_begins_with_as_many_instances_as_production_has() -> None:
    spec, baseline = scaled()
    assert int(baseline.production["InitialInstanceCount"]) == 1
    assert shadow_count(spec, baseline) == 3
    assert shadow_count(*scaled(instance_count=2)) == 2
