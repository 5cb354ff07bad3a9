"""Deployment policies: their steps, their waits, and what the service refuses."""

from typing import Any

import pytest

from include.localcloud.protocol import AwsError
from include.localcloud.sagemaker.guardrail import check_names, guardrail
from tests.unit.localcloud.sagemaker.policies import rolling, routed


def deployed(*names: str, count: int = 4, shadow: str | None = None) -> dict[str, Any]:
    variants = [{"VariantName": name, "DesiredInstanceCount": count, "Shadow": False} for name in names]
    if shadow is not None:
        variants.append({"VariantName": shadow, "DesiredInstanceCount": count, "Shadow": True})
    return {"Variants": variants}


@pytest.mark.parametrize(
    ("policy", "shares"),
    [
        (None, [1.0]),
        (routed("ALL_AT_ONCE"), [1.0]),
        (routed("CANARY", ("CAPACITY_PERCENT", 10)), [0.1, 1.0]),
        (routed("CANARY", ("INSTANCE_COUNT", 1)), [0.25, 1.0]),
        (routed("LINEAR", ("CAPACITY_PERCENT", 50)), [0.5, 1.0]),
        (routed("LINEAR", ("CAPACITY_PERCENT", 30)), [0.3, 0.6, 0.9, 1.0]),
        (routed("LINEAR", ("CAPACITY_PERCENT", 10)), [0.1 * step for step in range(1, 11)]),
        (rolling(("INSTANCE_COUNT", 1)), [0.25, 0.5, 0.75, 1.0]),
        (rolling(("CAPACITY_PERCENT", 40)), [0.5, 1.0]),  # whole instances: two of four
    ],
)
def test_the_traffic_moves_in_the_steps_of_the_policy(policy: Any, shares: list[float]) -> None:
    assert guardrail(policy, deployed("a")).shares == pytest.approx(shares)


def test_waits_alarms_and_limits_are_those_of_the_policy() -> None:
    policy = routed(
        "CANARY",
        ("CAPACITY_PERCENT", 10),
        300,
        TerminationWaitInSeconds=60,
        MaximumExecutionTimeoutInSeconds=1800,
    )
    policy["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": "x"}, {"AlarmName": "y"}]}
    plan = guardrail(policy, deployed("a"))
    assert (plan.bake, plan.termination_wait, plan.longest, plan.alarms) == (300, 60, 1800, ("x", "y"))
    assert guardrail(rolling(("INSTANCE_COUNT", 2)), deployed("a")).rollback_batch is None


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (routed("CANARY"), "CANARY needs CanarySize"),
        (routed("LINEAR"), "LINEAR needs LinearStepSize"),
        (routed("ALL_AT_ONCE") | rolling(("INSTANCE_COUNT", 1)), "it has one of them"),
        (routed("CANARY", ("CAPACITY_PERCENT", 51)), "at most 50 %"),
        (routed("CANARY", ("INSTANCE_COUNT", 3)), "75% of the fleet's 4 instances"),
        (routed("LINEAR", ("CAPACITY_PERCENT", 9)), "10 % to 50 %"),
        (routed("LINEAR", ("INSTANCE_COUNT", 3)), "10 % to 50 %"),
        (rolling(("CAPACITY_PERCENT", 4)), "5 % to 50 %"),
        (rolling(("INSTANCE_COUNT", 3)), "5 % to 50 %"),
        (
            routed("CANARY", ("CAPACITY_PERCENT", 10), 300, MaximumExecutionTimeoutInSeconds=600),
            "waits for 600 seconds in all",
        ),
    ],
)
def test_a_policy_that_cannot_be_is_refused(policy: Any, said: str) -> None:
    with pytest.raises(AwsError, match=said):
        guardrail(policy, deployed("a"))


def test_guarded_updates_keep_the_names_of_production_variants() -> None:
    old, new = deployed("a", shadow="s"), deployed("s")
    check_names(guardrail(None, new), old, new)
    for policy in (
        routed("CANARY", ("CAPACITY_PERCENT", 10), 0),
        routed("ALL_AT_ONCE", wait=60),
        {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "x"}]}},
    ):
        with pytest.raises(AwsError, match="need the same names"):
            check_names(guardrail(policy, new), old, new)
        check_names(guardrail(policy, deployed("a")), old, deployed("a"))


def test_rolling_is_for_one_variant() -> None:
    plan = guardrail(rolling(("INSTANCE_COUNT", 1)), deployed("a", "b"))
    with pytest.raises(AwsError, match="endpoints with one variant"):
        check_names(plan, deployed("a", "b"), deployed("a", "b"))
    with pytest.raises(AwsError, match="endpoints with one variant"):
        check_names(plan, deployed("a", shadow="s"), deployed("a"))
