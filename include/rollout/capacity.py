"""What a plan says of instances: doubts about load and capacity, and a promotion that SageMaker would refuse."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

from include.rollout.baseline import Baseline
from include.rollout.promotion import Promoter
from include.rollout.scaling import follows, uncopied
from include.rollout.spec import Mode, RolloutSpec

# Times production's load per instance from which on queueing is likely to be what is measured.
_HEAVIER = 1.25


def refusal(spec: RolloutSpec, baseline: Baseline) -> str | None:
    """Say why the candidate could not be promoted, or None where it can.

    UpdateEndpoint refuses another instance type for a variant that is a scalable target of Application Auto Scaling.
    """
    if spec.promotion.by is Promoter.SAGEMAKER and spec.mode is Mode.CANDIDATE:
        return _unrenamable(spec, baseline)
    serving = str(baseline.production["InstanceType"])
    wanted, _ = _promoted(spec, baseline)
    if not baseline.scaling or spec.mode is not Mode.CANDIDATE or wanted == serving:
        return None
    return (
        f"production scales automatically, and SageMaker moves a scalable target to no other instance type ({serving} to "
        f"{wanted}); deregister it for the rollout and register it again afterwards, or promote to {serving}."
    )


def warnings(
    spec: RolloutSpec, baseline: Baseline, config: Mapping[str, Any], rate: float
) -> tuple[str, ...]:
    """Return a sentence for each doubt about the config of the stage SHADOW at `rate` requests/s; none is a refusal."""
    (production,), (shadow,) = config["ProductionVariants"], config["ShadowProductionVariants"]
    found = [spec.promotion.warning] if spec.promotion.warning else []
    live, beside = production["InitialInstanceCount"], shadow["InitialInstanceCount"]
    each, copied = rate / live, rate * spec.sampling / beside
    if rate > 0 and copied > _HEAVIER * each and shadow["InstanceType"] == production["InstanceType"]:
        found.append(
            f"each shadow instance would answer {copied:.1f} requests/s, {copied / each:.1f} times what each of "
            f"production's answers, so its latency may be queueing; set candidate.instance_count to "
            f"{ceil(live * spec.sampling)}, or sample less."
        )
    if shadow["InstanceType"] != production["InstanceType"]:
        found.append(
            f"the shadow runs on {shadow['InstanceType']} and production on {production['InstanceType']}, so a difference "
            "in latency is the instances' as well as the model's."
        )
    if spec.sampling < 1 and spec.mode is Mode.CANDIDATE:
        found.append(
            f"the shadow gets {spec.sampling:.0%} of the requests, so it never carries the whole load before it is "
            "promoted; sample everything, or promote with guardrails."
        )
    wanted, _ = _promoted(spec, baseline)
    if wanted not in (production["InstanceType"], shadow["InstanceType"]) and spec.mode is Mode.CANDIDATE:
        found.append(
            f"the candidate is promoted to {wanted}, on which neither variant runs now, so nothing that is measured tells "
            f"how it does there; let it be tried there (candidate.instance_type), or promote with guardrails."
        )
    if baseline.scaling and not follows(spec, baseline):
        found.append(
            f"production scales automatically and the shadow stays at {beside}; if production scales out during the "
            "window, the two are no longer alike (candidate.autoscaling)."
        )
    elif uncopied(baseline):
        found.append(
            f"the shadow does not get production's scaling policy {', '.join(uncopied(baseline))}: only target tracking can "
            "be copied, the others act on alarms of your own; if production scales by it during the window, the two are no "
            "longer alike."
        )
    own = baseline.config.get("DataCaptureConfig", {})
    if spec.capture is not None and own.get("EnableCapture"):
        place, other = own["DestinationS3Uri"].rstrip("/"), spec.capture.destination.rstrip("/")
        if place != other:
            found.append(
                f"production's own data capture to {place} pauses while the shadow is there, since an endpoint captures to "
                f"one place and that is {other} meanwhile; name {place} as capture.destination to leave no gap."
            )
    return tuple(found)


def _unrenamable(spec: RolloutSpec, baseline: Baseline) -> str | None:
    """Say why the candidate cannot serve under another variant name, or None where it can."""
    if uncopied(baseline):
        return (
            f"production scales by {', '.join(uncopied(baseline))} as variant {baseline.variant}, which acts on alarms of "
            "your own, and SageMaker's own Promote would serve the candidate under another name; set promotion.by to "
            "rollout, or let target tracking do it."
        )
    if baseline.scaling and not follows(spec, baseline):
        return (
            f"production scales automatically as variant {baseline.variant}, and SageMaker's own Promote would serve the "
            "candidate under the shadow's name, which would not; set candidate.autoscaling to true, or promotion.by to "
            "rollout."
        )
    made = int(baseline.production["InitialInstanceCount"])
    if baseline.instance_count > made:
        return (
            f"production runs {baseline.instance_count} instances and its endpoint config says {made}, which is what the "
            "way back from SageMaker's own Promote would start with, since counts are kept by variant name; set "
            "promotion.by to rollout, or update the endpoint to a config with as many instances first."
        )
    return None


def _promoted(spec: RolloutSpec, baseline: Baseline) -> tuple[str, int]:
    serving, live = str(baseline.production["InstanceType"]), baseline.instance_count
    candidate = spec.candidate
    return spec.promotion.instances(
        (serving, live), (candidate.instance_type or serving, candidate.instance_count or live)
    )
