"""The managed test that a spec means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.rollout.baseline import Baseline
from include.rollout.errors import RefusedError, SpecError
from include.rollout.experiment import Edit, Terms, experiment, handover, impossible, needed_until, withdrawal
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
        ({"promotion": {"by": "sagemaker", "guardrails": {}}}, "leave guardrails out"),
        ({"promotion": {"by": "sagemaker", "approval": True}}, "set promotion.keep_shadow to true"),
        ({"promotion": {"by": "sagemaker"}, "strategy": "self_service"}, "set strategy to managed"),
    ],
)
def test_what_a_managed_test_cannot_do_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        spec(**changes)


START = datetime(2026, 1, 1, tzinfo=UTC)
NEEDED = START + timedelta(hours=5)


def ends(**after: float) -> Edit:
    return Edit(end=START + timedelta(**after))


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (Edit(), "nothing to edit was given"),
        (Edit(sampling=0.0), "sampling is 0; a managed test copies whole per cents"),
        (Edit(sampling=0.125), "sampling is 0.125"),
        (Edit(sampling=1.01), "give a share of 0.01 to 1"),
        (ends(minutes=59), "1 hour to 30 days"),
        (ends(hours=4), "may need its shadow until 2026-01-01 05:00:00 UTC"),
        (ends(days=30, seconds=1), "between 2026-01-01 05:00:00 and 2026-01-31 00:00:00 UTC"),
    ],
)
def test_an_edit_that_a_running_test_cannot_take_is_named(edit: Edit, said: str) -> None:
    why = impossible(edit, start=START, needed=NEEDED, now=START + timedelta(hours=2))
    assert why is not None
    assert said in why


@pytest.mark.parametrize("edit", [Edit(sampling=0.01), Edit(sampling=0.29), ends(hours=5), ends(days=30)])
def test_an_edit_within_the_limits_is_possible(edit: Edit) -> None:
    assert impossible(edit, start=START, needed=NEEDED, now=START + timedelta(hours=2)) is None


def test_a_test_is_needed_for_the_longest_window_its_judging_and_an_approval() -> None:
    asked = spec(window={"length": 3600, "maximum": 7200, "lag": 180, "warm_up": 300})
    until = needed_until(asked, opened=START, longer=600)
    assert until == START + timedelta(seconds=300 + 60 + 7200 + 600 + 180 + 3600)
    kept = spec(promotion={"approval": True, "keep_shadow": True, "approval_timeout": DAY})
    assert needed_until(kept, opened=START, longer=0) > START + timedelta(days=1)
    assert asked.test_seconds >= (needed_until(asked, opened=START, longer=7200) - START).total_seconds()


def test_an_edit_says_what_it_is_about_and_leaves_the_rest() -> None:
    before = Terms(sampling=1.0, end=START)
    after = before.edited(Edit(sampling=0.5))
    assert after == Terms(sampling=0.5, end=START)
    assert Terms(sampling=0.5, end=NEEDED).unedited(Edit(sampling=0.5), before) == Terms(
        sampling=1.0, end=NEEDED
    )


@pytest.mark.parametrize("text", ["tomorrow", "2026-03-01T12:00:00"])
def test_a_moment_without_its_offset_is_refused(text: str) -> None:
    with pytest.raises(RefusedError, match="ISO 8601 with its offset"):
        Edit.of(None, text)
    assert Edit.of(0.5, "2026-01-01T01:00:00.5+01:00") == Edit(sampling=0.5, end=START)


@pytest.mark.parametrize(
    ("promotion", "instances"),
    [
        ({"settings": "production"}, ("ml.m5.large", 3)),
        ({"settings": "shadow"}, ("ml.m5.xlarge", 4)),
        ({"instance_type": "ml.c5.large", "instance_count": 5}, ("ml.c5.large", 5)),
        ({"instance_count": 1}, ("ml.m5.large", 3)),
    ],
)
def test_sagemakers_promote_gets_the_instances_of_the_promoting_config(
    promotion: dict[str, Any], instances: tuple[str, int]
) -> None:
    asked = spec(
        promotion={"by": "sagemaker", **promotion},
        candidate={"instance_type": "ml.m5.xlarge", "instance_count": 4},
    )
    stop = handover(asked, BASELINE, rollout="a" * 12, candidate_model="new", live_count=3)
    assert stop["ModelVariantActions"] == {"blue": "Remove", "shadow": "Promote"}
    (desired,) = stop["DesiredModelVariants"]
    settings = desired["InfrastructureConfig"]["RealTimeInferenceConfig"]
    assert (desired["VariantName"], desired["ModelName"]) == ("shadow", "new")
    assert (settings["InstanceType"], settings["InstanceCount"]) == instances
    back = withdrawal("a" * 12, BASELINE)
    assert back["ModelVariantActions"] == {"blue": "Retain", "shadow": "Remove"}
    assert back["Reason"] != stop["Reason"], "the reason tells which of both was heard"
