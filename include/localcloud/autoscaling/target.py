"""Scalable targets as values: the variant that one names, its bounds and what is suspended."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from include.localcloud.protocol import AwsError
from include.localcloud.scope import ACCOUNT
from include.localcloud.state import Record

NAMESPACE, DIMENSION = "sagemaker", "sagemaker:variant:DesiredInstanceCount"
ROLE = (
    f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
)
_RESOURCE = re.compile(r"endpoint/([^/]+)/variant/([^/]+)")
_SUSPENDED = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant of an endpoint, by their names."""

    endpoint: str
    name: str


def invalid(message: str) -> AwsError:
    """Return a ValidationException."""
    return AwsError("ValidationException", message)


def not_found(message: str) -> AwsError:
    """Return the answer about a target or policy that does not exist."""
    return AwsError("ObjectNotFoundException", message)


def variant_of(params: Mapping[str, Any]) -> Variant:
    """Return the variant that ServiceNamespace, ScalableDimension and ResourceId name.

    Raises ValidationException for whatever else Application Auto Scaling scales on AWS.
    """
    namespace, dimension = params["ServiceNamespace"], params["ScalableDimension"]
    if (namespace, dimension) != (NAMESPACE, DIMENSION):
        raise invalid(
            f"The local cloud does not scale {dimension} of {namespace}; it scales {DIMENSION} of {NAMESPACE}."
        )
    return named(params["ResourceId"])


def named(resource: str) -> Variant:
    """Return the variant of a resource id; raise ValidationException for one of another form."""
    found = _RESOURCE.fullmatch(resource)
    if found is None:
        raise invalid(f"The resource id {resource} is not of the form endpoint/<endpoint>/variant/<variant>.")
    return Variant(found[1], found[2])


def registered(params: Mapping[str, Any], former: Record | None) -> Record:
    """Return the target after RegisterScalableTarget; what a second call does not say stays as it was.

    Raises ValidationException for bounds that cannot be.
    """
    record: Record = dict(former or {})
    for field in ("MinCapacity", "MaxCapacity"):
        if field in params:
            record[field] = params[field]
        elif field not in record:
            raise invalid(
                f"{field} is missing; a target that is registered first needs MinCapacity and MaxCapacity."
            )
    least, most = record["MinCapacity"], record["MaxCapacity"]
    if least < 1:
        raise invalid(f"MinCapacity is {least}; a variant keeps at least one instance.")
    if most < least:
        raise invalid(f"Maximum capacity cannot be less than minimum capacity; they are {most} and {least}.")
    suspended = record.get("SuspendedState", dict.fromkeys(_SUSPENDED, False))
    record["SuspendedState"] = suspended | params.get("SuspendedState", {})
    record |= {field: params[field] for field in ("ServiceNamespace", "ResourceId", "ScalableDimension")}
    record["RoleARN"] = params.get("RoleARN", record.get("RoleARN", ROLE))
    return record


def bounded(target: Mapping[str, Any], count: int) -> int:
    """Return the count moved into the target's bounds."""
    return max(int(target["MinCapacity"]), min(int(target["MaxCapacity"]), count))
