"""Stages: the config that each of them means, with everything else copied whole."""

from __future__ import annotations

from typing import Any

from include.rollout.baseline import Baseline
from include.rollout.spec import merge, parse
from include.rollout.stage import (
    Stage,
    candidate_container,
    config_name,
    differences,
    endpoint_config,
    our_configs,
    shadow_variant,
)

ROLLOUT = "abcdefgh2345"


def baseline(**changes: Any) -> Baseline:
    variant = {
        "VariantName": "blue",
        "ModelName": "churn-1",
        "InstanceType": "ml.m5.xlarge",
        "InitialInstanceCount": 2,
        "InitialVariantWeight": 3.0,
        "RoutingConfig": {"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"},
        "ModelDataDownloadTimeoutInSeconds": 900,
    }
    values: dict[str, Any] = {
        "endpoint": "churn",
        "endpoint_arn": "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/churn",
        "variant": "blue",
        "config_name": "churn-config",
        "config": {
            "EndpointConfigName": "churn-config",
            "ProductionVariants": [variant],
            "KmsKeyId": "alias/key",
            "VpcConfig": {"Subnets": ["s"], "SecurityGroupIds": ["g"]},
            "MetricsConfig": {"EnableEnhancedMetrics": True, "MetricPublishFrequencyInSeconds": 10},
        },
        "instance_count": 5,
        "weight": 3.0,
        "model_name": "churn-1",
        "model": {"ModelName": "churn-1", "ExecutionRoleArn": "role"},
        "container": {
            "Image": "xgb:1",
            "ModelDataUrl": "s3://b/m.tar.gz",
            "Environment": {"A": "1", "B": "2"},
        },
    }
    return Baseline(**{**values, **changes})


def spec(**changes: Any) -> Any:
    document = {
        "endpoint": {"name": "churn"},
        "side_effect_free": True,
        "candidate": {"image": "xgb:2"},
        "sampling": 0.5,
    }
    return parse(merge(document, changes), "test")


def config(stage: Stage, **changes: Any) -> dict[str, Any]:
    return endpoint_config(
        spec(**changes), baseline(), rollout=ROLLOUT, stage=stage, candidate_model="new", live_count=5
    )


def test_the_baseline_stage_is_the_config_as_it_was() -> None:
    assert config(Stage.BASELINE) == baseline().config


def test_the_shadow_is_a_copy_of_production_with_the_sampling_as_its_weight() -> None:
    made = config(Stage.SHADOW)
    production, shadow = made["ProductionVariants"][0], made["ShadowProductionVariants"][0]
    assert production == {**baseline().production, "InitialInstanceCount": 5, "InitialVariantWeight": 1.0}
    assert shadow == {
        **baseline().production,
        "VariantName": "shadow",
        "ModelName": "new",
        "InitialInstanceCount": baseline().instance_count,
        "InitialVariantWeight": 0.5,
    }


def test_whatever_the_spec_does_not_change_is_copied_whole() -> None:
    for stage in (Stage.SHADOW, Stage.PROMOTED):
        for key in ("KmsKeyId", "VpcConfig", "MetricsConfig"):
            assert config(stage)[key] == baseline().config[key]


def test_the_promoted_variant_keeps_productions_name_and_never_goes_below_the_live_count() -> None:
    made = config(Stage.PROMOTED)
    assert "ShadowProductionVariants" not in made
    assert made["ProductionVariants"] == [
        {**baseline().production, "ModelName": "new", "InitialInstanceCount": 5}
    ]


def test_the_shadows_settings_are_promoted_only_when_asked_for() -> None:
    changes = {"candidate": {"instance_type": "ml.c5.large", "instance_count": 7}, "sampling": 1.0}
    kept = config(Stage.PROMOTED, **changes)["ProductionVariants"][0]
    taken = config(Stage.PROMOTED, **changes, promotion={"settings": "shadow"})["ProductionVariants"][0]
    assert (kept["InstanceType"], kept["InitialInstanceCount"]) == ("ml.m5.xlarge", 5)
    assert (taken["InstanceType"], taken["InitialInstanceCount"]) == ("ml.c5.large", 7)


def test_named_instances_are_promoted_and_never_fewer_than_live() -> None:
    changes = {"candidate": {"instance_type": "ml.c5.large", "instance_count": 7}}
    named = {"instance_type": "ml.m5.4xlarge", "instance_count": 9}
    made = config(Stage.PROMOTED, **changes, promotion=named)["ProductionVariants"][0]
    fewer = config(Stage.PROMOTED, **changes, promotion={**named, "instance_count": 2})["ProductionVariants"][
        0
    ]
    assert (made["InstanceType"], made["InitialInstanceCount"]) == ("ml.m5.4xlarge", 9)
    assert fewer["InitialInstanceCount"] == 5


def test_capture_is_off_unless_the_spec_asks_for_it() -> None:
    assert "DataCaptureConfig" not in config(Stage.SHADOW)
    made = config(Stage.SHADOW, capture={"destination": "s3://bucket/captures"})["DataCaptureConfig"]
    assert (made["InitialSamplingPercentage"], made["DestinationS3Uri"]) == (100, "s3://bucket/captures")


def test_captures_are_encrypted_with_productions_own_key_unless_another_is_named() -> None:
    own = {"EnableCapture": True, "DestinationS3Uri": "s3://own/captures", "KmsKeyId": "alias/own"}
    captured = baseline(config={**baseline().config, "DataCaptureConfig": own})

    def made(**capture: str) -> dict[str, Any]:
        asked = spec(capture={"destination": "s3://bucket/captures", **capture})
        return endpoint_config(
            asked, captured, rollout=ROLLOUT, stage=Stage.SHADOW, candidate_model="new", live_count=5
        )["DataCaptureConfig"]

    assert (made()["KmsKeyId"], made()["DestinationS3Uri"]) == ("alias/own", "s3://bucket/captures")
    assert made(kms_key="alias/other")["KmsKeyId"] == "alias/other"


def test_making_a_config_changes_nothing_of_the_baseline() -> None:
    before, stored = baseline(), baseline()
    for stage in Stage:
        endpoint_config(spec(), stored, rollout=ROLLOUT, stage=stage, candidate_model="new", live_count=9)
    assert stored == before


def test_the_shadow_never_takes_productions_name() -> None:
    assert shadow_variant(baseline()) == "shadow"
    assert shadow_variant(baseline(variant="shadow")) != "shadow"


def test_every_name_derives_from_the_rollout() -> None:
    names = our_configs(ROLLOUT, baseline())
    assert names == {config_name(ROLLOUT, stage, baseline()) for stage in Stage}
    assert all(ROLLOUT in name for name in names - {"churn-config"})
    assert all(len(name) <= 63 for name in our_configs(ROLLOUT, baseline(endpoint="e" * 63)))


def test_the_candidates_environment_is_laid_over_productions() -> None:
    made = candidate_container(
        spec(candidate={"environment": {"B": "3", "C": "4"}}), baseline(), "s3://b/new.tar.gz"
    )
    assert made == {
        "Image": "xgb:2",
        "ModelDataUrl": "s3://b/new.tar.gz",
        "Environment": {"A": "1", "B": "3", "C": "4"},
    }


def test_differences_are_told_path_by_path() -> None:
    lines = differences({"a": 1, "b": [{"c": 1}], "gone": 2}, {"a": 1, "b": [{"c": 2}], "new": 3})
    assert lines == ["b[0].c: 1 -> 2", "gone: 2 -> absent", "new: absent -> 3"]


def test_a_baseline_survives_the_ledger() -> None:
    document = {**baseline().to_document(), "schema": 1, "kind": "baseline", "written_at": "now"}
    assert Baseline.from_document(document) == baseline()
