"""What a plan warns of before anything is spent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from include.rollout.baseline import Baseline
from include.rollout.capacity import refusal, warnings
from include.rollout.spec import RolloutSpec, merge, parse
from include.rollout.stage import Stage, endpoint_config


def asked(live: int = 4, scaling: tuple[Any, ...] = (), **changes: Any) -> tuple[RolloutSpec, Baseline]:
    base = {
        "endpoint": {"name": "e"},
        "side_effect_free": True,
        "candidate": {"environment": {"A": "1"}, "instance_count": 4},
    }
    spec = parse(merge(base, changes), "a spec")
    variant = {
        "VariantName": "blue",
        "ModelName": "old",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
        "InitialVariantWeight": 1.0,
    }
    baseline = Baseline(
        endpoint="e",
        endpoint_arn="arn",
        variant="blue",
        config_name="e-config",
        config={"EndpointConfigName": "e-config", "ProductionVariants": [variant]},
        instance_count=live,
        weight=1.0,
        model_name="old",
        model={},
        container={},
        scaling=scaling,
    )
    return spec, baseline


def warned(rate: float = 40.0, **changes: Any) -> list[str]:
    spec, baseline = asked(**changes)
    config = endpoint_config(
        spec,
        baseline,
        rollout="a" * 12,
        stage=Stage.SHADOW,
        candidate_model="new",
        live_count=baseline.instance_count,
    )
    return list(warnings(spec, baseline, config, rate))


def test_a_promotion_to_instances_that_nobody_tried_is_a_doubt() -> None:
    (said,) = warned(promotion={"instance_type": "ml.c5.large"})
    assert "promoted to ml.c5.large, on which neither variant runs" in said


def test_a_shadow_like_production_gives_no_doubt() -> None:
    assert warned() == []


def test_a_shadow_with_more_load_an_instance_is_told_with_the_count_that_would_do() -> None:
    (found,) = warned(candidate={"instance_count": 1})
    assert "40.0 requests/s, 4.0 times" in found
    assert "set candidate.instance_count to 4" in found
    (heavy, part) = warned(sampling=0.5, candidate={"instance_count": 1})
    assert "set candidate.instance_count to 2" in heavy
    assert "50% of the requests" in part


def test_a_share_other_instances_and_scaling_are_told() -> None:
    assert "never carries the whole load" in warned(sampling=0.25)[0]
    assert (
        "ml.c5.large and production on ml.m5.large" in warned(candidate={"instance_type": "ml.c5.large"})[0]
    )
    assert "scales automatically" in warned(scaling=({"MinCapacity": 1},))[0]
    steps = {"MinCapacity": 1, "policies": [{"PolicyName": "by-alarm", "PolicyType": "StepScaling"}]}
    (said,) = warned(scaling=(steps,), candidate={"autoscaling": True})
    assert "does not get production's scaling policy by-alarm" in said
    assert warned(scaling=({"MinCapacity": 1},), candidate={"autoscaling": True}) == []


def test_without_traffic_nothing_is_said_of_load() -> None:
    assert warned(rate=0.0, candidate={"instance_count": 1}) == []


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({}, True),
        ({"scaling": ()}, False),
        ({"mode": "dry_run"}, False),
        ({"promotion": {"settings": "production"}}, False),
        ({"candidate": {"instance_type": "ml.m5.large"}}, False),
    ],
    ids=["another type", "no scaling", "a dry run", "production's settings", "the same type"],
)
def test_a_scalable_target_is_promoted_to_no_other_instance_type(
    changes: dict[str, Any], refused: bool
) -> None:
    wish: dict[str, Any] = {
        "scaling": ({"ResourceId": "endpoint/e/variant/blue"},),
        "candidate": {"instance_type": "ml.c5.large"},
        "promotion": {"settings": "shadow"},
    }
    said = refusal(*asked(**{**wish, **changes}))
    assert (said is not None) is refused
    assert said is None or "deregister it for the rollout" in said


def test_productions_own_capture_pauses_unless_it_goes_to_the_same_place() -> None:
    own = {"EnableCapture": True, "DestinationS3Uri": "s3://own/captures/"}

    def said(destination: str) -> list[str]:
        spec, before = asked(capture={"destination": destination})
        baseline = replace(before, config={**before.config, "DataCaptureConfig": own})
        config = endpoint_config(
            spec, baseline, rollout="a" * 12, stage=Stage.SHADOW, candidate_model="new", live_count=4
        )
        return list(warnings(spec, baseline, config, 40.0))

    (pauses,) = said("s3://rollouts/captures")
    assert "own data capture to s3://own/captures pauses while the shadow is there" in pauses
    assert said("s3://own/captures") == []


def test_another_variant_name_is_warned_of_and_refused_where_it_loses_instances() -> None:
    by = {"strategy": "managed", "promotion": {"by": "sagemaker"}}
    (said,) = warned(live=1, candidate={"instance_count": 1}, **by)
    assert "serves under the shadow's variant name" in said
    assert refusal(*asked(live=1, **by)) is None
    scales = refusal(*asked(live=1, scaling=({"policies": []},), **by))
    assert scales is not None
    assert "set candidate.autoscaling to true" in scales
    follows = {**by, "candidate": {"autoscaling": True}}
    assert refusal(*asked(live=1, scaling=({"policies": []},), **follows)) is None
    steps = {"policies": [{"PolicyName": "by-alarm", "PolicyType": "StepScaling"}]}
    alarmed = refusal(*asked(live=1, scaling=(steps,), **follows))
    assert alarmed is not None
    assert "production scales by by-alarm" in alarmed
    more = refusal(*asked(live=4, **by))
    assert more is not None
    assert "runs 4 instances and its endpoint config says 1" in more
    assert refusal(*asked(live=4, mode="dry_run", **by)) is None
