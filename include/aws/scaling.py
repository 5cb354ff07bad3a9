"""Application Auto Scaling of variants, read for the baseline."""

from __future__ import annotations

from typing import Any

from include.aws.clients import Clients
from include.aws.faults import calling

_TARGET_KEYS = ("ResourceId", "ScalableDimension", "MinCapacity", "MaxCapacity", "RoleARN", "SuspendedState")
_POLICY_KEYS = (
    "PolicyName",
    "ResourceId",
    "ScalableDimension",
    "PolicyType",
    "TargetTrackingScalingPolicyConfiguration",
    "StepScalingPolicyConfiguration",
)


def targets(clients: Clients, endpoint: str, variant: str) -> tuple[dict[str, Any], ...]:
    """Return the variant's scalable targets, each with its policies, as the calls that made them would be written."""
    resource = f"endpoint/{endpoint}/variant/{variant}"
    with calling(f"Reading the scaling targets of {resource}"):
        found = clients.scaling.describe_scalable_targets(
            ServiceNamespace="sagemaker", ResourceIds=[resource]
        )
        if not found["ScalableTargets"]:
            return ()
        policies = clients.scaling.describe_scaling_policies(
            ServiceNamespace="sagemaker", ResourceId=resource
        )
    return tuple(
        {
            **{key: target[key] for key in _TARGET_KEYS if key in target},
            "policies": [
                {key: p[key] for key in _POLICY_KEYS if key in p} for p in policies["ScalingPolicies"]
            ],
        }
        for target in found["ScalableTargets"]
    )
