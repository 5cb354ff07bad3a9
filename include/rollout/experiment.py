"""The managed test: the inference experiment that puts a candidate beside production."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from include.rollout.baseline import Baseline
from include.rollout.names import resource_name
from include.rollout.spec import RolloutSpec
from include.rollout.stage import Stage, endpoint_config, shadow_variant


def experiment_name(rollout: str, baseline: Baseline) -> str:
    """Name the managed test of a rollout."""
    return resource_name(rollout, "test", baseline.endpoint)


def experiment(
    spec: RolloutSpec,
    baseline: Baseline,
    *,
    rollout: str,
    candidate_model: str,
    live_count: int,
    end: datetime,
) -> dict[str, Any]:
    """Return the CreateInferenceExperiment arguments: the same two variants as the config of the stage SHADOW has.

    It starts at once, and would end by itself at `end`, which is beyond everything the rollout may wait for. The role
    is production's own model's.
    """
    config = endpoint_config(
        spec,
        baseline,
        rollout=rollout,
        stage=Stage.SHADOW,
        candidate_model=candidate_model,
        live_count=live_count,
    )
    (production,), (shadow,) = config["ProductionVariants"], config["ShadowProductionVariants"]
    arguments: dict[str, Any] = {
        "Name": experiment_name(rollout, baseline),
        "Type": "ShadowMode",
        "Description": f"Rollout {rollout}; stop it by concluding the rollout.",
        "RoleArn": baseline.model["ExecutionRoleArn"],
        "EndpointName": baseline.endpoint,
        "Schedule": {"EndTime": end},
        "ModelVariants": [_variant(production), _variant(shadow)],
        "ShadowModeConfig": {
            "SourceModelVariantName": baseline.variant,
            "ShadowModelVariants": [
                {
                    "ShadowModelVariantName": shadow_variant(baseline),
                    "SamplingPercentage": round(100 * spec.sampling),
                }
            ],
        },
    }
    capture = config.get("DataCaptureConfig") if spec.capture is not None else None
    if capture is not None:
        arguments["DataStorageConfig"] = {
            "Destination": capture["DestinationS3Uri"],
            "ContentType": capture["CaptureContentTypeHeader"],
            **({"KmsKey": capture["KmsKeyId"]} if "KmsKeyId" in capture else {}),
        }
    return arguments


def _variant(variant: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "ModelName": variant["ModelName"],
        "VariantName": variant["VariantName"],
        "InfrastructureConfig": {
            "InfrastructureType": "RealTimeInference",
            "RealTimeInferenceConfig": {
                "InstanceType": variant["InstanceType"],
                "InstanceCount": variant["InitialInstanceCount"],
            },
        },
    }
