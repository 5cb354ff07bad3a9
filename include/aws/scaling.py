"""Application Auto Scaling of variants: read for the baseline, and kept for a shadow while it is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from include.aws.clients import Clients
from include.aws.faults import calling, code_of

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


def register(clients: Clients, target: Mapping[str, Any], policies: Iterable[Mapping[str, Any]]) -> None:
    """Make a variant a scalable target and put its policies; what is there already is replaced."""
    with calling(f"Registering {target['ResourceId']} as a scalable target"):
        clients.scaling.register_scalable_target(**target)
    for policy in policies:
        with calling(f"Putting scaling policy {policy['PolicyName']} of {target['ResourceId']}"):
            clients.scaling.put_scaling_policy(**policy)


def deregister(clients: Clients, target: Mapping[str, Any]) -> None:
    """Take a variant's scalable target away, and its policies with it; one that is gone already is no error."""
    named = {key: target[key] for key in ("ServiceNamespace", "ResourceId", "ScalableDimension")}
    with calling(f"Deregistering {target['ResourceId']} as a scalable target"):
        try:
            clients.scaling.deregister_scalable_target(**named)
        except ClientError as error:
            if code_of(error) != "ObjectNotFoundException":
                raise
