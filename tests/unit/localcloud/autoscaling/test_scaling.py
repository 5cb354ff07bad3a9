"""Automatic scaling: what is registered, refused and shown, and when instances come and go."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.localcloud.autoscaling.service import AutoScaling
from include.localcloud.clock import Clock
from include.localcloud.cloudwatch.alarms import Alarms
from include.localcloud.cloudwatch.samples import Samples
from include.localcloud.cloudwatch.store import Key, MetricStore
from include.localcloud.protocol import AwsError

RESOURCE = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/e/variant/production",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}
INVOCATIONS = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}


class HandClock(Clock):
    def __init__(self) -> None:
        super().__init__()
        self.time = 1_800_000_000.0

    def now(self) -> float:
        return self.time


class Fleet:
    """Stands in for SageMaker's variants: one, which does as it is told unless it fails."""

    def __init__(self) -> None:
        self.count, self.changing = 1, False
        self.failure: str | None = None

    def capacity(self, endpoint: str, variant: str) -> int | None:
        return self.count if (endpoint, variant) == ("e", "production") else None

    def is_changeable(self, endpoint: str) -> bool:
        return not self.changing

    async def scale(self, endpoint: str, variant: str, count: int) -> str | None:
        if self.failure is None:
            self.count = count
        return self.failure


class Floor:
    """A variant under automatic scaling, minute by minute."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock, self.fleet = folder, HandClock(), Fleet()
        self.store = MetricStore(self.clock)
        self.open()

    def open(self) -> None:
        self.alarms = Alarms(self.folder / "alarms", self.store, self.clock)
        self.auto = AutoScaling(
            self.folder / "auto", variants=self.fleet, alarms=self.alarms, clock=self.clock
        )

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        async def run() -> dict[str, Any]:
            result: dict[str, Any] = await getattr(self.auto, operation)(params)
            await self._acted()
            return result

        return asyncio.run(run())

    async def _acted(self) -> None:
        while tasks := list(self.auto.scaling._acting.values()):
            await asyncio.gather(*tasks)

    def register(self, least: int = 1, most: int = 5, **more: Any) -> None:
        self.call("RegisterScalableTarget", **RESOURCE, MinCapacity=least, MaxCapacity=most, **more)

    def policy(self, name: str = "p", target: float = 10.0, **more: Any) -> dict[str, Any]:
        tracking = {"TargetValue": target, "PredefinedMetricSpecification": INVOCATIONS} | more
        return self.call(
            "PutScalingPolicy",
            PolicyName=name,
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={k: v for k, v in tracking.items() if v is not None},
            **RESOURCE,
        )

    def minutes(self, count: int, requests: float | None) -> None:
        """Let minutes pass in which each instance gets its share of the requests, None is no traffic."""

        async def look() -> None:
            self.auto.scaling.look()
            await self._acted()

        for _ in range(count):
            if requests is not None:
                dimensions = (("EndpointName", "e"), ("VariantName", "production"))
                self.store.put(
                    Key("AWS/SageMaker", "InvocationsPerInstance", dimensions),
                    timestamp=self.clock.time,
                    resolution=60,
                    unit="None",
                    samples=Samples.of([requests / self.fleet.count]),
                )
            self.clock.time += 60
            asyncio.run(look())

    def activities(self) -> list[dict[str, Any]]:
        found = self.call("DescribeScalingActivities", ServiceNamespace="sagemaker")
        return list(found["ScalingActivities"])


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    return Floor(tmp_path)


def test_three_minutes_above_the_target_scale_out_to_meet_it(floor: Floor) -> None:
    floor.register()
    floor.policy()
    floor.minutes(2, 35)
    assert floor.fleet.count == 1
    floor.minutes(1, 35)
    assert floor.fleet.count == 4  # 35 requests a minute at 10 an instance
    (activity,) = floor.activities()
    assert activity["StatusCode"] == "Successful"
    assert activity["Description"] == "Setting desired instance count to 4."
    assert "AlarmHigh" in activity["Cause"]


def test_it_does_not_scale_beyond_its_bounds(floor: Floor) -> None:
    floor.register(most=3)
    floor.policy()
    floor.minutes(5, 500)
    assert floor.fleet.count == 3
    assert len(floor.activities()) == 1


def test_fifteen_minutes_well_below_the_target_scale_in(floor: Floor) -> None:
    floor.fleet.count = 4
    floor.register()
    floor.policy()
    floor.minutes(14, 15)
    assert floor.fleet.count == 4
    floor.minutes(1, 15)
    assert floor.fleet.count == 2
    assert "AlarmLow" in floor.activities()[0]["Cause"]


def test_a_little_below_the_target_it_stays(floor: Floor) -> None:
    floor.fleet.count = 4
    floor.register()
    floor.policy()
    floor.minutes(30, 37)
    assert (floor.fleet.count, floor.activities()) == (4, [])


def test_without_traffic_nothing_scales_in(floor: Floor) -> None:
    floor.fleet.count = 4
    floor.register()
    floor.policy()
    floor.minutes(30, None)
    assert floor.fleet.count == 4


def test_after_scaling_out_it_waits_for_the_cooldown(floor: Floor) -> None:
    floor.register(most=10)
    floor.policy(ScaleOutCooldown=600)
    floor.minutes(3, 20)
    assert floor.fleet.count == 2
    floor.minutes(9, 80)
    assert floor.fleet.count == 2
    floor.minutes(1, 80)
    assert floor.fleet.count == 8


def test_a_policy_may_refuse_to_scale_in(floor: Floor) -> None:
    floor.fleet.count = 4
    floor.register()
    assert len(floor.policy(DisableScaleIn=True)["Alarms"]) == 1
    floor.minutes(30, 1)
    assert floor.fleet.count == 4


def test_what_is_suspended_does_not_happen(floor: Floor) -> None:
    floor.register(SuspendedState={"DynamicScalingOutSuspended": True})
    floor.policy()
    floor.minutes(10, 90)
    assert floor.fleet.count == 1
    floor.register(SuspendedState={"DynamicScalingOutSuspended": False})
    floor.minutes(1, 90)
    assert floor.fleet.count == 5


def test_of_several_policies_the_largest_count_wins_and_all_must_agree_to_fewer(floor: Floor) -> None:
    floor.fleet.count = 4
    floor.register(most=10)
    floor.policy("low", 1.0)
    floor.policy("high", 100.0)
    floor.minutes(3, 6)
    assert floor.fleet.count == 6
    floor.minutes(30, 6)
    assert floor.fleet.count == 6


def test_a_customized_metric_is_followed(floor: Floor) -> None:
    floor.register()
    custom = {"Namespace": "Own", "MetricName": "queue", "Statistic": "Average", "Dimensions": []}
    floor.policy(target=5.0, PredefinedMetricSpecification=None, CustomizedMetricSpecification=custom)
    for _ in range(3):
        floor.store.put(
            Key("Own", "queue", ()),
            timestamp=floor.clock.time,
            resolution=60,
            unit="None",
            samples=Samples.of([12.0]),
        )
        floor.minutes(1, None)
    assert floor.fleet.count == 3


def test_new_bounds_move_the_count_at_once(floor: Floor) -> None:
    floor.register(least=3)
    assert floor.fleet.count == 3
    assert floor.activities()[0]["Cause"] == "minimum capacity was set to 3"
    floor.register(least=1, most=2)
    assert floor.fleet.count == 2


def test_an_endpoint_that_changes_is_left_alone_until_it_rests(floor: Floor) -> None:
    floor.fleet.changing = True
    floor.register(least=3)
    assert (floor.fleet.count, floor.activities()) == (1, [])
    floor.fleet.changing = False
    floor.minutes(1, None)
    assert floor.fleet.count == 3


def test_a_failure_is_told_with_its_reason(floor: Floor) -> None:
    floor.fleet.failure = "no capacity"
    floor.register(least=3)
    (activity,) = floor.activities()
    assert (activity["StatusCode"], floor.fleet.count) == ("Failed", 1)
    assert activity["StatusMessage"].endswith("Reason: no capacity")


def test_targets_and_policies_are_shown_page_by_page_and_kept(floor: Floor) -> None:
    floor.register()
    for name in ("p", "q"):
        floor.policy(name)
    floor.open()  # as after a restart
    (target,) = floor.call("DescribeScalableTargets", ServiceNamespace="sagemaker")["ScalableTargets"]
    assert (target["ResourceId"], target["MaxCapacity"]) == (RESOURCE["ResourceId"], 5)
    others = floor.call(
        "DescribeScalableTargets", ServiceNamespace="sagemaker", ResourceIds=["endpoint/f/variant/v"]
    )
    assert others == {"ScalableTargets": []}
    first = floor.call("DescribeScalingPolicies", ServiceNamespace="sagemaker", MaxResults=1)
    rest = floor.call("DescribeScalingPolicies", ServiceNamespace="sagemaker", NextToken=first["NextToken"])
    names = [each["PolicyName"] for each in (*first["ScalingPolicies"], *rest["ScalingPolicies"])]
    assert names == ["p", "q"]
    floor.minutes(3, 35)
    assert floor.fleet.count == 4


def test_a_policy_put_again_is_replaced_and_keeps_its_alarms(floor: Floor) -> None:
    floor.register()
    assert floor.policy() == floor.policy(target=20.0)
    floor.minutes(3, 35)
    assert floor.fleet.count == 2


def test_deregistering_takes_the_policies_and_their_alarms_away(floor: Floor) -> None:
    floor.register()
    names = [alarm["AlarmName"] for alarm in floor.policy()["Alarms"]]
    assert [floor.alarms.state(name) for name in names] == ["INSUFFICIENT_DATA"] * 2
    floor.call("DeregisterScalableTarget", **RESOURCE)
    assert [floor.alarms.state(name) for name in names] == [None, None]
    assert floor.call("DescribeScalingPolicies", ServiceNamespace="sagemaker") == {"ScalingPolicies": []}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ResourceId": "endpoint/e/variant/ghost"}, "does not exist or does not serve yet"),
        ({"ResourceId": "table/t"}, "is not of the form"),
        ({"ServiceNamespace": "dynamodb"}, "does not scale .* of dynamodb"),
        ({"ScalableDimension": "sagemaker:inference-component:DesiredCopyCount"}, "does not scale"),
        ({"MinCapacity": 0}, "keeps at least one instance"),
        ({"MinCapacity": 6}, "Maximum capacity cannot be less than minimum"),
    ],
)
def test_targets_that_cannot_be_are_refused(floor: Floor, change: dict[str, Any], said: str) -> None:
    with pytest.raises(AwsError, match=said):
        floor.call("RegisterScalableTarget", **(RESOURCE | {"MinCapacity": 1, "MaxCapacity": 5} | change))
    with pytest.raises(AwsError, match="MaxCapacity is missing"):
        floor.call("RegisterScalableTarget", **RESOURCE, MinCapacity=1)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"PredefinedMetricSpecification": None}, "either a PredefinedMetricSpecification"),
        ({"target": 0.0}, "must be above 0"),
        ({"ScaleInCooldown": -1}, "0 or more seconds"),
        (
            {"PredefinedMetricSpecification": {"PredefinedMetricType": "ALBRequestCountPerTarget"}},
            "does not support the predefined metric",
        ),
        (
            {"PredefinedMetricSpecification": None, "CustomizedMetricSpecification": {}},
            "either MetricName",
        ),
        (
            {"PredefinedMetricSpecification": None, "CustomizedMetricSpecification": {"MetricName": "m"}},
            "cannot be watched: The parameter Namespace is required",
        ),
    ],
)
def test_policies_that_cannot_be_are_refused_and_not_kept(
    floor: Floor, more: dict[str, Any], said: str
) -> None:
    floor.register()
    with pytest.raises(AwsError, match=said):
        floor.policy(**more)
    assert floor.call("DescribeScalingPolicies", ServiceNamespace="sagemaker") == {"ScalingPolicies": []}


def refusing(floor: Floor) -> list[Callable[[], Any]]:
    return [
        floor.policy,
        lambda: floor.call("DeregisterScalableTarget", **RESOURCE),
        lambda: floor.call("DeleteScalingPolicy", PolicyName="p", **RESOURCE),
    ]


@pytest.mark.parametrize("which", range(3))
def test_what_is_not_registered_is_not_found(floor: Floor, which: int) -> None:
    with pytest.raises(AwsError, match="ObjectNotFoundException: No scal"):
        refusing(floor)[which]()
