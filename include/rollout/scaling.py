"""Application Auto Scaling: production's targets and policies, as they are and under the shadow's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.rollout.baseline import Baseline
from include.rollout.spec import RolloutSpec

_TRACKING = "TargetTrackingScaling"
_VARIANT = "VariantName"  # the dimension of SageMaker's metrics that tells variants apart


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalableTarget:
    """The arguments of RegisterScalableTarget, and those of PutScalingPolicy for each policy that can be copied."""

    target: Mapping[str, Any]
    policies: tuple[Mapping[str, Any], ...]

    @property
    def words(self) -> str:
        """Say within which bounds it scales, and by what."""
        by = ", ".join(policy["PolicyName"] for policy in self.policies)
        return f"from {self.target['MinCapacity']} to {self.target['MaxCapacity']} instances, by {by or 'no policy'}"


def follows(spec: RolloutSpec, baseline: Baseline) -> bool:
    """Say whether the shadow scales as production does: production scales, and nobody fixed the shadow's count."""
    asked = spec.candidate.autoscaling
    return bool(baseline.scaling) and (spec.candidate.instance_count is None if asked is None else asked)


def targets_of(baseline: Baseline, variant: str) -> tuple[ScalableTarget, ...]:
    """Return production's targets as those of a variant. Metrics that a policy names of production become the variant's.

    The role is left out: SageMaker's variants are scaled under the service's own.
    """
    resource = resource_id(baseline, variant)
    found = []
    for target in baseline.scaling:
        of = {
            "ServiceNamespace": "sagemaker",
            "ResourceId": resource,
            "ScalableDimension": target["ScalableDimension"],
        }
        bounds = {
            key: target[key] for key in ("MinCapacity", "MaxCapacity", "SuspendedState") if key in target
        }
        policies = tuple(
            {
                **of,
                "PolicyName": policy["PolicyName"],
                "PolicyType": _TRACKING,
                "TargetTrackingScalingPolicyConfiguration": _renamed(
                    policy["TargetTrackingScalingPolicyConfiguration"],
                    baseline.variant,
                    variant,
                ),
            }
            for policy in target.get("policies", ())
            if policy["PolicyType"] == _TRACKING
        )
        found.append(ScalableTarget(target={**of, **bounds}, policies=policies))
    return tuple(found)


def uncopied(baseline: Baseline) -> tuple[str, ...]:
    """Name production's policies that no other variant can have: those that are told by alarms of somebody's own."""
    return tuple(
        policy["PolicyName"]
        for target in baseline.scaling
        for policy in target.get("policies", ())
        if policy["PolicyType"] != _TRACKING
    )


def most_instances(spec: RolloutSpec, baseline: Baseline, count: int) -> int:
    """Return how many instances a shadow that begins with `count` may come to have."""
    if not follows(spec, baseline):
        return count
    return max(count, *(int(target["MaxCapacity"]) for target in baseline.scaling))


def resource_id(baseline: Baseline, variant: str) -> str:
    """Return the name that Application Auto Scaling has for a variant."""
    return f"endpoint/{baseline.endpoint}/variant/{variant}"


def _renamed(node: Any, old: str, new: str) -> Any:
    """Return a copy in which dimensions that name the variant `old` name `new`."""
    if isinstance(node, Mapping):
        if node.get("Name") == _VARIANT and node.get("Value") == old:
            return {**node, "Value": new}
        return {key: _renamed(value, old, new) for key, value in node.items()}
    if isinstance(node, Sequence) and not isinstance(node, str):
        return [_renamed(value, old, new) for value in node]
    return node
