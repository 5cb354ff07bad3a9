"""The stages of an endpoint, and the endpoint config that each of them means."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from include.rollout.baseline import Baseline
from include.rollout.names import resource_name
from include.rollout.promotion import Promoter
from include.rollout.spec import RolloutSpec

SHADOW_VARIANT = "shadow"
CANDIDATE_ROLE = "candidate"  # of the model on trial, in its name


class Stage(StrEnum):
    """Where the endpoint stands in a rollout."""

    BASELINE = "BASELINE"
    SHADOW = "SHADOW"
    PROMOTED = "PROMOTED"


def shadow_variant(baseline: Baseline) -> str:
    """Name the shadow variant; never production's own name."""
    return SHADOW_VARIANT if baseline.variant != SHADOW_VARIANT else f"{SHADOW_VARIANT}-2"


def promoted_variant(spec: RolloutSpec, baseline: Baseline) -> str:
    """Name the variant that serves the promoted candidate: production's, unless SageMaker's own Promote keeps the shadow's."""
    return shadow_variant(baseline) if spec.promotion.by is Promoter.SAGEMAKER else baseline.variant


def config_name(rollout: str, stage: Stage, baseline: Baseline) -> str:
    """Name the endpoint config of a stage; the baseline's is the one that was there before."""
    return (
        baseline.config_name
        if stage is Stage.BASELINE
        else resource_name(rollout, stage.value.lower(), baseline.endpoint)
    )


def our_configs(rollout: str, baseline: Baseline) -> frozenset[str]:
    """Return every config name that the endpoint may have during this rollout; any other is a foreign change."""
    return frozenset(config_name(rollout, stage, baseline) for stage in Stage)


def candidate_model(rollout: str, spec: RolloutSpec, baseline: Baseline) -> str:
    """Name the model on trial: production's own where only instances change, else one that the rollout creates."""
    if not changes_model(spec):
        return baseline.model_name
    return resource_name(rollout, CANDIDATE_ROLE, baseline.endpoint)


def endpoint_config(
    spec: RolloutSpec,
    baseline: Baseline,
    *,
    rollout: str,
    stage: Stage,
    candidate_model: str,
    live_count: int,
) -> dict[str, Any]:
    """Return the CreateEndpointConfig arguments of a stage; whatever the spec does not change is copied whole.

    `live_count` is production's instance count at this moment: a new config never goes below it.
    Sampling is written as the shadow's weight beside a production weight of 1, the only form that AWS documents.
    """
    arguments: dict[str, Any] = copy.deepcopy(dict(baseline.config))
    arguments["EndpointConfigName"] = config_name(rollout, stage, baseline)
    if stage is Stage.BASELINE:
        return arguments
    arguments.pop("ShadowProductionVariants", None)
    production = copy.deepcopy(dict(baseline.production))
    production["InitialInstanceCount"] = live_count
    if stage is Stage.SHADOW:
        production["InitialVariantWeight"] = 1.0
        arguments["ProductionVariants"] = [production]
        arguments["ShadowProductionVariants"] = [_shadow(spec, baseline, candidate_model)]
        if spec.capture is not None:
            arguments["DataCaptureConfig"] = _capture(spec, baseline)
        return arguments
    production["VariantName"] = promoted_variant(spec, baseline)
    production["ModelName"] = candidate_model
    shadow = _shadow(spec, baseline, candidate_model)
    production["InstanceType"], production["InitialInstanceCount"] = spec.promotion.instances(
        (production["InstanceType"], live_count), (shadow["InstanceType"], shadow["InitialInstanceCount"])
    )
    arguments["ProductionVariants"] = [production]
    return arguments


def candidate_container(spec: RolloutSpec, baseline: Baseline, artifact: str | None) -> dict[str, Any]:
    """Return the container on trial: production's, with what the spec names replaced; `artifact` is its S3 URI."""
    container: dict[str, Any] = copy.deepcopy(dict(baseline.container))
    if artifact is not None:
        container.pop("ModelDataSource", None)
        container["ModelDataUrl"] = artifact
    if spec.candidate.image is not None:
        container["Image"] = spec.candidate.image
    if spec.candidate.environment:
        container["Environment"] = {**container.get("Environment", {}), **spec.candidate.environment}
    return container


def shadow_count(spec: RolloutSpec, baseline: Baseline) -> int:
    """Return how many instances the shadow begins with: as many as production had when the rollout was opened.

    What production's config says may be long ago: a shadow of so few would answer for many.
    """
    return spec.candidate.instance_count or max(1, baseline.instance_count)


def changes_model(spec: RolloutSpec) -> bool:
    """Say whether the candidate is another model or container, so that one must be registered and created."""
    candidate = spec.candidate
    return bool(candidate.package or candidate.artifact or candidate.image or candidate.environment)


def _shadow(spec: RolloutSpec, baseline: Baseline, candidate_model: str) -> dict[str, Any]:
    shadow = copy.deepcopy(dict(baseline.production))
    shadow["VariantName"] = shadow_variant(baseline)
    shadow["ModelName"] = candidate_model
    shadow["InitialVariantWeight"] = spec.sampling
    if spec.candidate.instance_type is not None:
        shadow["InstanceType"] = spec.candidate.instance_type
    shadow["InitialInstanceCount"] = shadow_count(spec, baseline)
    return shadow


def _capture(spec: RolloutSpec, baseline: Baseline) -> dict[str, Any]:
    assert spec.capture is not None
    key = spec.capture.kms_key or baseline.config.get("DataCaptureConfig", {}).get("KmsKeyId")
    return {
        **({"KmsKeyId": key} if key else {}),
        "EnableCapture": True,
        "InitialSamplingPercentage": spec.capture.percentage,
        "DestinationS3Uri": spec.capture.destination,
        "CaptureOptions": [{"CaptureMode": "InputAndOutput"}],
        "CaptureContentTypeHeader": {
            "CsvContentTypes": ["text/csv"],
            "JsonContentTypes": ["application/json"],
        },
    }


def differences(before: Mapping[str, Any], after: Mapping[str, Any], path: str = "") -> list[str]:
    """List in words what differs between two configs, path by path; nothing is listed for equal ones."""
    lines: list[str] = []
    for key in sorted({*before, *after}):
        old, new, where = before.get(key), after.get(key), f"{path}{key}"
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            lines += differences(old, new, f"{where}.")
        elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
            for i, (one, other) in enumerate(zip(old, new, strict=True)):
                if isinstance(one, Mapping) and isinstance(other, Mapping):
                    lines += differences(one, other, f"{where}[{i}].")
                elif one != other:
                    lines.append(f"{where}[{i}]: {one!r} -> {other!r}")
        else:
            lines.append(
                f"{where}: {'absent' if old is None else repr(old)} -> {'absent' if new is None else repr(new)}"
            )
    return lines
