"""Target tracking policies as values: the alarms that watch for one, and the count that it wants.

As the Application Auto Scaling user guide tells it: an alarm above the target over 3 minutes scales out, one a tenth
below it over 15 minutes scales in; 300 seconds of cooldown each unless the policy says otherwise.
"""

import math
from collections.abc import Mapping
from typing import Any

from include.localcloud.autoscaling.target import Variant, invalid
from include.localcloud.state import Record

OUT, IN = "AlarmHigh", "AlarmLow"
_PERIODS = {OUT: 3, IN: 15}  # minutes
_BELOW = 0.9  # of the target: where scaling in begins
_COOLDOWN = 300
_INVOCATIONS = "SageMakerVariantInvocationsPerInstance"
_CONFIGURATION = "TargetTrackingScalingPolicyConfiguration"


def check(params: Mapping[str, Any]) -> None:
    """Raise ValidationException for a policy that cannot be, or that the local cloud cannot carry out."""
    kind = params.get("PolicyType", "StepScaling")
    if kind != "TargetTrackingScaling":
        raise invalid(
            f"The local cloud does not carry out policies of type {kind}; use TargetTrackingScaling."
        )
    tracking = params.get(_CONFIGURATION)
    if tracking is None:
        raise invalid(f"A policy of type TargetTrackingScaling needs a {_CONFIGURATION}.")
    if tracking["TargetValue"] <= 0:
        raise invalid(f"TargetValue is {tracking['TargetValue']:g}; it must be above 0.")
    given = [
        field
        for field in ("PredefinedMetricSpecification", "CustomizedMetricSpecification")
        if field in tracking
    ]
    if len(given) != 1:
        raise invalid(
            "A target tracking policy has either a PredefinedMetricSpecification or a CustomizedMetricSpecification; "
            "give one."
        )
    predefined = tracking.get("PredefinedMetricSpecification")
    if predefined is not None and predefined["PredefinedMetricType"] != _INVOCATIONS:
        raise invalid(
            f"The local cloud does not support the predefined metric {predefined['PredefinedMetricType']}; use "
            f"{_INVOCATIONS} or a customized metric."
        )
    custom = tracking.get("CustomizedMetricSpecification")
    if custom is not None and ("Metrics" in custom) == ("MetricName" in custom):
        raise invalid(
            "A customized metric has either MetricName, Namespace and Statistic, or Metrics; give one."
        )
    for field in ("ScaleOutCooldown", "ScaleInCooldown"):
        if tracking.get(field, 0) < 0:
            raise invalid(f"{field} is {tracking[field]}; it must be 0 or more seconds.")


def alarm(policy: Record, variant: Variant, side: str) -> dict[str, Any]:
    """Return the alarm of one side of the policy, as PutMetricAlarm takes it."""
    tracking = policy[_CONFIGURATION]
    target: float = tracking["TargetValue"]
    return {
        "AlarmName": policy["AlarmNames"][side],
        "AlarmDescription": (
            f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy['PolicyARN']}."
        ),
        "AlarmActions": [policy["PolicyARN"]],
        "EvaluationPeriods": _PERIODS[side],
        "Threshold": target if side == OUT else target * _BELOW,
        "ComparisonOperator": "GreaterThanThreshold" if side == OUT else "LessThanThreshold",
        **_metric(tracking, variant),
    }


def wanted(policy: Record, current: int, value: float) -> int:
    """Return how many instances would bring the metric, which falls as they rise, to the target."""
    target: float = policy[_CONFIGURATION]["TargetValue"]
    return math.ceil(round(current * value / target, 9))


def cooldown(policy: Record, side: str) -> float:
    """Return the seconds after scaling in that direction in which it does not scale so again."""
    field = "ScaleOutCooldown" if side == OUT else "ScaleInCooldown"
    return float(policy[_CONFIGURATION].get(field, _COOLDOWN))


def scales_in(policy: Record) -> bool:
    """Say whether the policy may take instances away."""
    return not policy[_CONFIGURATION].get("DisableScaleIn", False)


def _metric(tracking: Mapping[str, Any], variant: Variant) -> dict[str, Any]:
    custom = tracking.get("CustomizedMetricSpecification")
    if custom is None:
        return {
            "Namespace": "AWS/SageMaker",
            "MetricName": "InvocationsPerInstance",
            "Dimensions": [
                {"Name": "EndpointName", "Value": variant.endpoint},
                {"Name": "VariantName", "Value": variant.name},
            ],
            "Statistic": "Sum",
            "Period": 60,
        }
    if "Metrics" not in custom:
        fields = ("Namespace", "MetricName", "Dimensions", "Statistic", "Unit")
        return {field: custom[field] for field in fields if field in custom} | {"Period": 60}
    queries = []
    for query in custom["Metrics"]:
        stat = query.get("MetricStat")
        queries.append(query if stat is None else query | {"MetricStat": stat | {"Period": 60}})
    return {"Metrics": queries}
