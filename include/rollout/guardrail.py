"""A guarded promotion: how traffic moves to the candidate, and which alarms take it back."""

from __future__ import annotations

from typing import Any

from include.rollout.baseline import Baseline
from include.rollout.names import resource_name
from include.rollout.promotion import GuardrailSection
from include.rollout.spec import RolloutSpec
from include.rollout.stage import Stage, config_name

_SHORTEST, _LONGEST = 600, 28800  # seconds that SageMaker lets a deployment take (BlueGreenUpdatePolicy)


def deployment_config(
    guardrails: GuardrailSection, *, rollout: str, baseline: Baseline, deploy_timeout: int
) -> dict[str, Any]:
    """Return the DeploymentConfig of the promoting update: blue/green, in the steps asked for, under the alarms."""
    kind = guardrails.traffic.upper()
    routing: dict[str, Any] = {"Type": kind, "WaitIntervalInSeconds": guardrails.wait}
    if guardrails.traffic != "all_at_once":
        size = "CanarySize" if guardrails.traffic == "canary" else "LinearStepSize"
        routing[size] = {"Type": "CAPACITY_PERCENT", "Value": guardrails.step}
    longest = min(_LONGEST, max(_SHORTEST, guardrails.seconds + deploy_timeout))
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": routing,
            "MaximumExecutionTimeoutInSeconds": longest,
        },
        "AutoRollbackConfiguration": {
            "Alarms": [{"AlarmName": name} for name in alarm_names(guardrails, rollout, baseline)]
        },
    }


def alarm_names(guardrails: GuardrailSection, rollout: str, baseline: Baseline) -> tuple[str, ...]:
    """Name the alarms of a promotion."""
    roles = []
    if guardrails.error_rate is not None:
        roles.append("errors")
    if guardrails.latency_ms is not None:
        roles.append("latency")
    return tuple(resource_name(rollout, role, baseline.endpoint) for role in roles)


def alarms(spec: RolloutSpec, baseline: Baseline, rollout: str) -> list[dict[str, Any]]:
    """Return the PutMetricAlarm arguments of a promotion's alarms; none without guardrails.

    They watch the new fleet alone, by its endpoint config's name: in the variant's own dimensions the old fleet's
    errors would trip them too. No data is no alarm: the fleet has no traffic before its first step.
    """
    guardrails = spec.promotion.guardrails
    if guardrails is None:
        return []
    common = {
        "Namespace": "AWS/SageMaker",
        "Dimensions": [
            {"Name": "EndpointName", "Value": baseline.endpoint},
            {"Name": "VariantName", "Value": baseline.variant},
            {"Name": "EndpointConfigName", "Value": config_name(rollout, Stage.PROMOTED, baseline)},
        ],
        "Period": spec.window.period,
        "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }
    # each metric's unit is SageMaker's own: errors are 0 or 1 a request, latency is in microseconds
    measured: dict[str, dict[str, Any]] = {
        "errors": {
            "MetricName": "InvocationModelErrors",
            "Statistic": "Average",
            "Threshold": guardrails.error_rate,
        },
        "latency": {
            "MetricName": "ModelLatency",
            "ExtendedStatistic": guardrails.quantile,
            "Threshold": (guardrails.latency_ms or 0) * 1000,
        },
    }
    return [
        {**common, **what, "AlarmName": name}
        for role, what in measured.items()
        if (name := resource_name(rollout, role, baseline.endpoint))
        in alarm_names(guardrails, rollout, baseline)
    ]
