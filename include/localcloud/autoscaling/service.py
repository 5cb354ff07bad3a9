"""Application Auto Scaling's operations, by AWS's names, for SageMaker's variants."""

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from include.localcloud.autoscaling import policy as tracking
from include.localcloud.autoscaling.scaling import Scaling, Variants
from include.localcloud.autoscaling.target import DIMENSION, invalid, not_found, registered, variant_of
from include.localcloud.clock import Clock
from include.localcloud.cloudwatch.alarms import Alarms
from include.localcloud.paging import page, position
from include.localcloud.protocol import AwsError
from include.localcloud.quota import Quota, excess, unlimited
from include.localcloud.scope import arn
from include.localcloud.state import Record, Table

# Records, unless MaxResults says.
_PAGES = {"ScalableTargets": 50, "ScalingPolicies": 10, "ScalingActivities": 50}
_MOST_RESULTS = 50
_OURS = ("AlarmNames", "Scaled")  # of a policy's record


class AutoScaling:
    """Targets, their policies and what came of them; `scaling` acts on them."""

    def __init__(
        self, folder: Path, *, variants: Variants, alarms: Alarms, clock: Clock, quota: Quota = unlimited
    ) -> None:
        self._targets, self._policies = Table(folder / "targets"), Table(folder / "policies")
        self._activities = Table(folder / "activities")
        self._variants = variants
        self._alarms = alarms
        self._clock = clock
        self._quota = quota
        self.scaling = Scaling(
            targets=self._targets,
            policies=self._policies,
            activities=self._activities,
            variants=variants,
            alarms=alarms,
            clock=clock,
        )

    def is_target(self, endpoint: str, variant: str) -> bool:
        """Say whether the variant is registered."""
        return f"endpoint/{endpoint}/variant/{variant}" in self._targets

    async def RegisterScalableTarget(self, params: dict[str, Any]) -> dict[str, Any]:
        variant = variant_of(params)
        if self._variants.capacity(variant.endpoint, variant.name) is None:
            raise invalid(
                f"The variant {variant.name} of the endpoint {variant.endpoint} does not exist or does not serve yet; "
                "a scalable target is a variant that does."
            )
        resource = params["ResourceId"]
        former = self._targets.get(resource)
        record = registered(params, former)
        if former is None:
            self._check_quota("scalable-target", len(self._targets))
            record["CreationTime"] = self._clock.now()
            record["ScalableTargetARN"] = arn(
                "application-autoscaling", f"scalable-target/{uuid.uuid4().hex}"
            )
        self._targets[resource] = record
        self.scaling.look()
        return {"ScalableTargetARN": record["ScalableTargetARN"]}

    async def DescribeScalableTargets(self, params: dict[str, Any]) -> dict[str, Any]:
        _check_filters(params)
        wanted = params.get("ResourceIds")
        found = [
            record
            for resource, record in self._targets.items()
            if _matches(record, params) and (not wanted or resource in wanted)
        ]
        return _page("ScalableTargets", found, params)

    async def DeregisterScalableTarget(self, params: dict[str, Any]) -> dict[str, Any]:
        resource = self._target(params)
        for key, record in list(self._policies.items()):
            if record["ResourceId"] == resource:
                await self._drop(key)
        del self._targets[resource]
        return {}

    async def PutScalingPolicy(self, params: dict[str, Any]) -> dict[str, Any]:
        resource = self._target(params)
        tracking.check(params)
        key = _key(params)
        record: Record = dict(self._policies.get(key, {})) | params
        if key not in self._policies:
            self._check_quota("scaling-policy", len(self._policies))
            name, serial = params["PolicyName"], uuid.uuid4()
            record["CreationTime"] = self._clock.now()
            record["PolicyARN"] = arn(
                "autoscaling", f"scalingPolicy:{serial}:resource/sagemaker/{resource}:policyName/{name}"
            )
            record["AlarmNames"] = {
                side: f"TargetTracking-{resource}-{side}-{uuid.uuid4()}"
                for side in (tracking.OUT, tracking.IN)
            }
        await self._watch(record)
        self._policies[key] = record
        return {"PolicyARN": record["PolicyARN"], "Alarms": _alarms(record)}

    async def DescribeScalingPolicies(self, params: dict[str, Any]) -> dict[str, Any]:
        _check_filters(params)
        names = params.get("PolicyNames")
        found = [
            {field: value for field, value in record.items() if field not in _OURS}
            | {"Alarms": _alarms(record)}
            for record in self._policies.values()
            if _matches(record, params) and (not names or record["PolicyName"] in names)
        ]
        return _page("ScalingPolicies", found, params)

    async def DeleteScalingPolicy(self, params: dict[str, Any]) -> dict[str, Any]:
        variant_of(params)
        key = _key(params)
        if key not in self._policies:
            raise not_found(
                f"No scaling policy found for service namespace: sagemaker, resource ID: "
                f"{params['ResourceId']}, policy name: {params['PolicyName']}"
            )
        await self._drop(key)
        return {}

    async def DescribeScalingActivities(self, params: dict[str, Any]) -> dict[str, Any]:
        _check_filters(params)
        found = [record for record in self._activities.values() if _matches(record, params)]
        found.sort(key=lambda record: (record["StartTime"], record["ActivityId"]), reverse=True)
        return _page("ScalingActivities", found, params)

    def _check_quota(self, kind: str, used: int) -> None:
        if refusal := excess(self._quota, kind, used):
            raise AwsError("LimitExceededException", refusal)

    def _target(self, params: Mapping[str, Any]) -> str:
        variant_of(params)
        resource: str = params["ResourceId"]
        if resource not in self._targets:
            raise not_found(
                f"No scalable target found for service namespace: sagemaker, resource ID: {resource}, scalable "
                f"dimension: {DIMENSION}"
            )
        return resource

    async def _watch(self, record: Record) -> None:
        """Put the alarms of the policy; one that may not scale in has none for it."""
        variant = variant_of(record)
        sides = (tracking.OUT, tracking.IN) if tracking.scales_in(record) else (tracking.OUT,)
        for side in sides:
            try:
                await self._alarms.PutMetricAlarm(tracking.alarm(record, variant, side))
            except AwsError as error:
                raise invalid(f"The policy's metric cannot be watched: {error.message}") from error
        if len(sides) == 1:
            self._alarms.forget(record["AlarmNames"][tracking.IN])

    async def _drop(self, key: str) -> None:
        for name in self._policies[key]["AlarmNames"].values():
            self._alarms.forget(name)
        del self._policies[key]


def _key(params: Mapping[str, Any]) -> str:
    return f"{params['ResourceId']} {params['PolicyName']}"


def _check_filters(params: Mapping[str, Any]) -> None:
    """Raise ValidationException for a dimension of another service, or one without a resource (API reference)."""
    namespace, dimension = params["ServiceNamespace"], params.get("ScalableDimension")
    if dimension is None:
        return
    if dimension.partition(":")[0] != namespace:
        raise invalid(f"The scalable dimension {dimension} is not one of the service namespace {namespace}.")
    if not (params.get("ResourceId") or params.get("ResourceIds")):
        raise invalid("ScalableDimension is given without a resource ID; give both.")


def _matches(record: Record, params: Mapping[str, Any]) -> bool:
    fields = ("ServiceNamespace", "ResourceId", "ScalableDimension")
    return all(params.get(field) in {None, record[field]} for field in fields)


def _alarms(record: Record) -> list[dict[str, str]]:
    sides = (tracking.OUT, tracking.IN) if tracking.scales_in(record) else (tracking.OUT,)
    names = [record["AlarmNames"][side] for side in sides]
    return [{"AlarmName": name, "AlarmARN": arn("cloudwatch", f"alarm:{name}")} for name in names]


def _page(key: str, found: list[Any], params: Mapping[str, Any]) -> dict[str, Any]:
    try:
        first = position(params.get("NextToken"))
    except ValueError as error:
        raise AwsError("InvalidNextTokenException", "The next token specified is invalid.") from error
    size = params.get("MaxResults", _PAGES[key])
    if not 1 <= size <= _MOST_RESULTS:
        raise invalid(f"MaxResults is {size}; it must be between 1 and {_MOST_RESULTS}.")
    shown, token = page(found, first, size)
    return {key: shown} | token
