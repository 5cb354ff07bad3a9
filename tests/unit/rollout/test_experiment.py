"""The managed test that a spec means."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from include.rollout.baseline import Baseline
from include.rollout.errors import SpecError
from include.rollout.experiment import experiment
from include.rollout.spec import RolloutSpec, merge, parse

DAY = 86400
PRODUCTION = {
    "VariantName": "blue",
    "ModelName": "old",
    "InstanceType": "ml.m5.large",
    "InitialInstanceCount": 2,
    "InitialVariantWeight": 1.0,
}
BASELINE = Baseline(
    endpoint="e",
    endpoint_arn="arn:aws:sagemaker:us-east-1:000000000000:endpoint/e",
    variant="blue",
    config_name="e-config",
    config={"EndpointConfigName": "e-config", "ProductionVariants": [PRODUCTION]},
    instance_count=2,
    weight=1.0,
    model_name="old",
    model={"ModelName": "old", "ExecutionRoleArn": "arn:aws:iam::000000000000:role/serving"},
    container={"Image": "image"},
)


def spec(**changes: Any) -> RolloutSpec:
    base = {
        "endpoint": {"name": "e"},
        "strategy": "managed",
        "side_effect_free": True,
        "candidate": {"environment": {"A": "1"}},
    }
    return parse(merge(base, changes), "a spec")


def test_it_has_the_variants_of_the_shadow_config_and_says_where_captures_go() -> None:
    end = datetime(2026, 1, 8, tzinfo=UTC)
    asked = spec(
        sampling=0.25,
        candidate={"instance_type": "ml.m5.xlarge", "instance_count": 1},
        capture={"destination": "s3://captures/x", "kms_key": "alias/key"},
    )
    made = experiment(asked, BASELINE, rollout="a" * 12, candidate_model="new", live_count=3, end=end)
    variants = {
        each["VariantName"]: (each["ModelName"], each["InfrastructureConfig"]["RealTimeInferenceConfig"])
        for each in made["ModelVariants"]
    }
    assert variants == {
        "blue": ("old", {"InstanceType": "ml.m5.large", "InstanceCount": 3}),
        "shadow": ("new", {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1}),
    }
    assert made["ShadowModeConfig"] == {
        "SourceModelVariantName": "blue",
        "ShadowModelVariants": [{"ShadowModelVariantName": "shadow", "SamplingPercentage": 25}],
    }
    assert (made["Name"], made["Schedule"]) == (f"pen-{'a' * 12}-test-e", {"EndTime": end})
    assert made["DataStorageConfig"]["Destination"] == "s3://captures/x"
    assert made["DataStorageConfig"]["KmsKey"] == "alias/key"
    assert made["RoleArn"].endswith("role/serving")


def test_its_schedule_is_beyond_all_that_the_rollout_may_wait_for() -> None:
    asked = spec(window={"length": DAY, "maximum": 2 * DAY})
    assert asked.test_seconds > 4 * DAY
    longest = spec(window={"period": 300, "length": 20 * DAY, "maximum": 29 * DAY})
    assert longest.test_seconds == 30 * DAY
    kept = spec(promotion={"approval": True, "keep_shadow": True, "approval_timeout": 3 * DAY})
    assert kept.test_seconds == spec().test_seconds + 3 * DAY


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sampling": 0.125}, "sampling 0.125; a managed test copies whole per cents"),
        ({"capture": {"destination": "s3://captures/x", "percentage": 50}}, "set it to 100"),
        ({"window": {"period": 300, "maximum": 30 * DAY}}, "shorten window.maximum"),
    ],
)
def test_what_a_managed_test_cannot_do_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        spec(**changes)
