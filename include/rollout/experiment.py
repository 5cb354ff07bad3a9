"""The managed test: the inference experiment that puts a candidate beside production."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from include.rollout.baseline import Baseline
from include.rollout.errors import RefusedError
from include.rollout.names import moment, resource_name
from include.rollout.spec import LONGEST_TEST, SHORTEST_TEST, RolloutSpec
from include.rollout.stage import Stage, endpoint_config, shadow_variant

TEST_ROLE = "test"  # of a managed test in its name, and in those of the configs that SageMaker makes for it


def experiment_name(rollout: str, baseline: Baseline) -> str:
    """Name the managed test of a rollout."""
    return resource_name(rollout, TEST_ROLE, baseline.endpoint)


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


def handover(
    spec: RolloutSpec, baseline: Baseline, *, rollout: str, candidate_model: str, live_count: int
) -> dict[str, Any]:
    """Return the StopInferenceExperiment arguments of SageMaker's own Promote: production goes, the shadow serves.

    The candidate gets the instances that the config of the stage PROMOTED has: production's type and `live_count`, the
    shadow's, or those that the spec names.
    """
    config = endpoint_config(
        spec,
        baseline,
        rollout=rollout,
        stage=Stage.PROMOTED,
        candidate_model=candidate_model,
        live_count=live_count,
    )
    (promoted,) = config["ProductionVariants"]
    return {
        "Name": experiment_name(rollout, baseline),
        "ModelVariantActions": {baseline.variant: "Remove", shadow_variant(baseline): "Promote"},
        "DesiredModelVariants": [_variant(promoted)],
        "DesiredState": "Completed",
        "Reason": handover_reason(rollout),
    }


def handover_reason(rollout: str) -> str:
    """Return what SageMaker repeats of a test that the rollout itself has promoted."""
    return f"rollout {rollout} promotes the candidate"


def withdrawal(rollout: str, baseline: Baseline) -> dict[str, Any]:
    """Return the StopInferenceExperiment arguments of the way back: production stays, the shadow goes."""
    return {
        "Name": experiment_name(rollout, baseline),
        "ModelVariantActions": {baseline.variant: "Retain", shadow_variant(baseline): "Remove"},
        "DesiredState": "Completed",
        "Reason": f"rollout {rollout} takes the shadow away",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What of a running test may be changed: the share that it copies, and when it ends by itself."""

    sampling: float  # whole per cents
    end: datetime  # whole seconds

    def edited(self, edit: Edit) -> Terms:
        """Return the terms with an edit carried out."""
        return Terms(
            sampling=self.sampling if edit.sampling is None else edit.sampling,
            end=self.end if edit.end is None else edit.end,
        )

    def unedited(self, edit: Edit, before: Terms) -> Terms:
        """Return the terms with what an edit is about as it was `before`."""
        return Terms(
            sampling=self.sampling if edit.sampling is None else before.sampling,
            end=self.end if edit.end is None else before.end,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What a person wants changed of a running test; None leaves it as it is."""

    sampling: float | None = None
    end: datetime | None = None

    @classmethod
    def of(cls, sampling: float | None, end: str | None) -> Edit:
        """Read what a person wrote: a share, and a moment in ISO 8601 with its offset; RefusedError for another."""
        try:
            told = None if not end else moment(end.strip())
        except ValueError:
            told = None
        if end and (told is None or told.tzinfo is None):
            raise RefusedError(
                f"end is {end!r}; give a moment in ISO 8601 with its offset, such as 2026-03-01T12:00:00Z."
            )
        return cls(
            sampling=sampling, end=None if told is None else told.astimezone(UTC).replace(microsecond=0)
        )


def impossible(edit: Edit, *, start: datetime, needed: datetime, now: datetime) -> str | None:
    """Say why a running test cannot be edited so, or None where it can.

    It copies whole per cents, and lasts 1 hour to 30 days from its `start` (SageMaker's developer guide). It must not
    end before `needed`, when the rollout may still look at its shadow.
    """
    share, end = edit.sampling, edit.end
    if share is None and end is None:
        return "nothing to edit was given; give another sampling, another end, or both"
    if share is not None and not (0.01 <= share <= 1 and abs(share * 100 - round(share * 100)) < 1e-9):
        return f"sampling is {share:g}; a managed test copies whole per cents, so give a share of 0.01 to 1 in steps of 0.01"
    if end is None:
        return None
    first = max(start + timedelta(seconds=SHORTEST_TEST), needed, now)
    last = start + timedelta(seconds=LONGEST_TEST)
    if first <= end <= last:
        return None
    return (
        f"the test cannot end at {end:%Y-%m-%d %H:%M:%S} UTC; SageMaker lets one last 1 hour to 30 days, and this rollout "
        f"may need its shadow until {needed:%Y-%m-%d %H:%M:%S} UTC, so give a moment between "
        f"{first:%Y-%m-%d %H:%M:%S} and {last:%Y-%m-%d %H:%M:%S} UTC, or end the rollout with remove or promote"
    )


def needed_until(spec: RolloutSpec, *, opened: datetime, longer: int) -> datetime:
    """Return until when a rollout may need its shadow: the longest window, what people added, judging, and approval.

    `opened` is when its window opened, or will at the latest; `longer` are the seconds that people added.
    """
    return opened + timedelta(seconds=spec.judged + longer + spec.promotion.kept)


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
