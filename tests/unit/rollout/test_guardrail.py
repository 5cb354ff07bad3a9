"""How a guarded promotion is asked for, and what of it cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from include.rollout.baseline import Baseline
from include.rollout.errors import SpecError
from include.rollout.guardrail import alarms, deployment_config
from include.rollout.spec import RolloutSpec, parse

ID = "a" * 12
BASELINE = Baseline(
    endpoint="e",
    endpoint_arn="arn",
    variant="blue",
    config_name="e-config",
    config={"EndpointConfigName": "e-config", "ProductionVariants": []},
    instance_count=1,
    weight=1.0,
    model_name="old",
    model={},
    container={},
)


def spec(**guardrails: Any) -> RolloutSpec:
    return parse(
        {
            "endpoint": {"name": "e"},
            "side_effect_free": True,
            "candidate": {"environment": {"A": "1"}},
            "promotion": {"guardrails": guardrails},
        },
        "a spec",
    )


def test_a_linear_promotion_names_its_steps_its_time_and_its_alarms() -> None:
    guardrails = spec(traffic="linear", step=30, wait=300, latency_ms=250).promotion.guardrails
    assert guardrails is not None
    assert guardrails.seconds == 4 * 300
    assert deployment_config(guardrails, rollout=ID, baseline=BASELINE, deploy_timeout=3600) == {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {
                "Type": "LINEAR",
                "WaitIntervalInSeconds": 300,
                "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 30},
            },
            "MaximumExecutionTimeoutInSeconds": 4800,
        },
        "AutoRollbackConfiguration": {
            "Alarms": [{"AlarmName": f"pen-{ID}-errors-e"}, {"AlarmName": f"pen-{ID}-latency-e"}]
        },
    }


def test_alarms_look_at_the_new_fleet_alone_in_sagemakers_units() -> None:
    (latency,) = alarms(spec(error_rate=None, latency_ms=250, quantile="p95"), BASELINE, ID)
    assert {each["Name"]: each["Value"] for each in latency["Dimensions"]} == {
        "EndpointName": "e",
        "VariantName": "blue",
        "EndpointConfigName": f"pen-{ID}-promoted-e",
    }
    assert (latency["ExtendedStatistic"], latency["Threshold"]) == ("p95", 250_000)
    assert latency["TreatMissingData"] == "notBreaching"
    (errors,) = alarms(spec(error_rate=0.01), BASELINE, ID)
    assert (errors["MetricName"], errors["Statistic"], errors["Threshold"]) == (
        "InvocationModelErrors",
        "Average",
        0.01,
    )


@pytest.mark.parametrize(
    ("guardrails", "said"),
    [
        ({"error_rate": None}, "names no alarm; give error_rate or latency_ms"),
        ({"traffic": "linear", "step": 10, "wait": 3600}, "take 36000 s; a deployment may take 28800 s"),
        ({"wait": 30}, "wait is 30; its alarms look at periods of 60 s"),
        ({"step": 5}, "promotion.guardrails.step is 5"),
    ],
)
def test_guardrails_that_cannot_be_are_refused_in_a_sentence(guardrails: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        spec(**guardrails)


def test_a_budget_without_a_limit_or_with_free_instances_is_refused() -> None:
    base = {"endpoint": {"name": "e"}, "side_effect_free": True, "candidate": {"environment": {"A": "1"}}}
    with pytest.raises(SpecError, match=r"budget\.limit is missing"):
        parse({**base, "budget": {}}, "a spec")
    with pytest.raises(SpecError, match=r"budget\.prices\.ml\.m5\.large is 0"):
        parse({**base, "budget": {"limit": 1, "prices": {"ml.m5.large": 0}}}, "a spec")
