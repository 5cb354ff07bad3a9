"""Endpoints and their configs: described, made sure of, and updated under guard."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from include.aws.clients import Clients, service_time
from include.aws.faults import already_exists, calling, code_of, is_missing, is_transient, message_of
from include.rollout.errors import DeploymentError, ForeignChangeError

_NOT_ARGUMENTS = {"EndpointConfigArn", "CreationTime", "ResponseMetadata"}
_UNDER_WAY = {"Creating", "Updating", "SystemUpdating", "RollingBack"}
_UPDATE_DEADLINE = 2.0  # seconds between looking and updating: SageMaker has no compare-and-swap, so be quick


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantState:
    """A variant as it serves now."""

    name: str
    instance_count: int
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointState:
    """What DescribeEndpoint said, and when."""

    name: str
    arn: str
    status: str
    config: str
    pending: str | None  # the config that an update in progress goes to
    failure: str | None
    production: tuple[VariantState, ...]
    shadow: tuple[VariantState, ...]
    seen: datetime
    capture: Mapping[str, Any]
    last_deployment: Mapping[str, Any]

    @property
    def in_service(self) -> bool:
        """Say whether the endpoint serves and nothing is under way."""
        return self.status == "InService" and self.pending is None


def describe(clients: Clients, endpoint: str) -> EndpointState | None:
    """Return the endpoint's state, or None when it does not exist."""
    with calling(f"Describing endpoint {endpoint}"):
        try:
            answer = clients.sagemaker.describe_endpoint(EndpointName=endpoint)
        except ClientError as error:
            if is_missing(error):
                return None
            raise
    pending = answer.get("PendingDeploymentSummary") or {}
    return EndpointState(
        name=endpoint,
        arn=answer["EndpointArn"],
        status=answer["EndpointStatus"],
        config=answer.get("EndpointConfigName", ""),
        pending=pending.get("EndpointConfigName"),
        failure=answer.get("FailureReason"),
        production=_variants(answer.get("ProductionVariants", [])),
        shadow=_variants(answer.get("ShadowProductionVariants", [])),
        seen=service_time(answer),
        capture=answer.get("DataCaptureConfig") or {},
        last_deployment=answer.get("LastDeploymentConfig") or {},
    )


def is_quiet(clients: Clients, endpoint: str) -> bool:
    """Say whether nothing is under way on the endpoint, or it does not exist: whoever waits may look again."""
    state = describe(clients, endpoint)
    return state is None or state.status not in _UNDER_WAY


def _variants(found: list[dict[str, Any]]) -> tuple[VariantState, ...]:
    return tuple(
        VariantState(
            name=v["VariantName"],
            instance_count=int(v.get("DesiredInstanceCount") or v.get("CurrentInstanceCount") or 0),
            weight=float(v.get("DesiredWeight", v.get("CurrentWeight", 1.0))),
        )
        for v in found
    )


def describe_config(clients: Clients, name: str) -> dict[str, Any] | None:
    """Return the arguments that would make the endpoint config again, or None when it does not exist."""
    with calling(f"Describing endpoint config {name}"):
        try:
            answer = clients.sagemaker.describe_endpoint_config(EndpointConfigName=name)
        except ClientError as error:
            if is_missing(error):
                return None
            raise
    return {key: value for key, value in answer.items() if key not in _NOT_ARGUMENTS}


def tags(clients: Clients, arn: str) -> dict[str, str]:
    """Return the tags of a resource."""
    with calling(f"Listing the tags of {arn}"):
        pages = clients.sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
        return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}


def tag_config(clients: Clients, name: str, tags: Mapping[str, str]) -> None:
    """Add tags to an endpoint config, over those of the same key."""
    with calling(f"Tagging endpoint config {name}"):
        arn = clients.sagemaker.describe_endpoint_config(EndpointConfigName=name)["EndpointConfigArn"]
        clients.sagemaker.add_tags(ResourceArn=arn, Tags=tag_list(tags))


def ensure_config(clients: Clients, arguments: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    """Make sure that the endpoint config exists; one of that name is ours, since names derive from the rollout.

    One with other instance counts is made anew: production may have scaled since an update to it was first tried. So
    nothing may be on the config, or go to it.
    """
    name = arguments["EndpointConfigName"]
    with calling(f"Creating endpoint config {name}"):
        try:
            clients.sagemaker.create_endpoint_config(**arguments, Tags=tag_list(tags))
            return
        except ClientError as error:
            if not already_exists(error):
                raise
        if _counts(describe_config(clients, name) or {}) == _counts(arguments):
            return
        delete_config(clients, name)
        clients.sagemaker.create_endpoint_config(**arguments, Tags=tag_list(tags))


def _counts(config: Mapping[str, Any]) -> dict[str, int]:
    variants = (*config.get("ProductionVariants", ()), *config.get("ShadowProductionVariants", ()))
    return {variant["VariantName"]: variant.get("InitialInstanceCount", 0) for variant in variants}


def tag(clients: Clients, arn: str, tags: Mapping[str, str]) -> None:
    """Add tags to a resource, over those of the same key."""
    with calling(f"Tagging {arn}"):
        clients.sagemaker.add_tags(ResourceArn=arn, Tags=tag_list(tags))


def create(clients: Clients, endpoint: str, config: str, tags: Mapping[str, str]) -> None:
    """Create the endpoint; one that exists by then is left as it is, and the next look tells whose it is."""
    with calling(f"Creating endpoint {endpoint}"):
        try:
            clients.sagemaker_once.create_endpoint(
                EndpointName=endpoint, EndpointConfigName=config, Tags=tag_list(tags)
            )
        except ClientError as error:
            if not already_exists(error):
                raise


def delete(clients: Clients, endpoint: str) -> None:
    """Begin to delete the endpoint; nothing happens where it is gone, or busy, which the next look tells."""
    with calling(f"Deleting endpoint {endpoint}"):
        try:
            clients.sagemaker_once.delete_endpoint(EndpointName=endpoint)
        except ClientError as error:
            if not is_missing(error) and "in-progress" not in message_of(error).lower():
                raise


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags in AWS's own form; keys that AWS reserves are left out."""
    return [{"Key": k, "Value": v} for k, v in sorted(tags.items()) if not k.lower().startswith("aws:")]


def delete_config(clients: Clients, name: str) -> bool:
    """Delete an endpoint config; False when it was not there."""
    with calling(f"Deleting endpoint config {name}"):
        try:
            clients.sagemaker.delete_endpoint_config(EndpointConfigName=name)
        except ClientError as error:
            if is_missing(error):
                return False
            raise
    return True


def begin_update(
    clients: Clients,
    endpoint: str,
    *,
    config: str,
    ours: Collection[str],
    allowed: Callable[[], None],
    retain: bool = False,
    deployment: Mapping[str, Any] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Set the endpoint on its way to `config`; True once SageMaker took that up, False when it is to be asked later.

    SageMaker has no compare-and-swap, so this looks first and then updates at once, with retries off: the endpoint
    must be InService on one of `ours` with nothing pending. `allowed` re-reads the fence and raises FenceError.
    `retain` keeps the live instance counts (RetainAllVariantProperties), never the weights. `deployment` is the
    DeploymentConfig; without one the new fleet takes over at once. Later means that another update is under way, or
    that AWS was throttling, erring or silent and the endpoint does not show that it was heard.

    Raises ForeignChangeError when the endpoint is gone, or on or going to a config that is not ours;
    DeploymentError when it cannot be updated (Failed, being deleted); CloudError when AWS refuses.
    """
    while True:
        allowed()  # before each look: a look may take long, and the fence may be raised meanwhile
        looked = clock()
        state = describe(clients, endpoint)
        refuse_foreign(state, endpoint, ours)
        assert state is not None
        if state.in_service and state.config == config:
            return True
        if state.pending == config:
            return True
        refuse_broken(state)
        if not state.in_service:
            return False
        arguments: dict[str, Any] = {"EndpointName": endpoint, "EndpointConfigName": config}
        if retain:
            arguments["RetainAllVariantProperties"] = True
            arguments["ExcludeRetainedVariantProperties"] = [{"VariantPropertyType": "DesiredWeight"}]
        if deployment is not None:
            arguments["DeploymentConfig"] = dict(deployment)
        if clock() - looked > _UPDATE_DEADLINE:
            continue  # what was seen is too old to act on
        return _ask_update(clients, arguments)


def _ask_update(clients: Clients, arguments: Mapping[str, Any]) -> bool:
    """Ask for the update once, and say whether SageMaker took it up, as its answer tells or else the endpoint."""
    endpoint, config = arguments["EndpointName"], arguments["EndpointConfigName"]
    with calling(f"Updating endpoint {endpoint} to {config}"):
        try:
            clients.sagemaker_once.update_endpoint(**arguments)
        except ClientError as error:
            if "in-progress" in message_of(error).lower() or code_of(error) == "ConflictException":
                return False  # somebody was quicker; the next look tells who
            if not is_transient(error):
                raise
        except (ConnectionError, HTTPClientError):
            pass
        else:
            return True
    after = describe(clients, endpoint)  # it may have been heard all the same
    return after is not None and config in (after.config, after.pending)


def refuse_foreign(state: EndpointState | None, endpoint: str, ours: Collection[str]) -> None:
    """Raise ForeignChangeError unless the endpoint exists and is on, and goes to, one of our configs only."""
    if state is None:
        raise ForeignChangeError(
            f"endpoint {endpoint} was deleted while the rollout ran; nothing is left to change."
        )
    for name in (state.config, state.pending):
        if name and name not in ours:
            raise ForeignChangeError(
                f"somebody else moved endpoint {endpoint} to endpoint config {name} while the rollout ran; "
                "it is left as they made it."
            )


def refuse_broken(state: EndpointState) -> None:
    """Raise DeploymentError for a status that no waiting ends, and in which SageMaker takes no update."""
    if state.status in {"Failed", "UpdateRollbackFailed", "OutOfService"}:
        raise DeploymentError(
            f"endpoint {state.name} is {state.status} ({state.failure or 'no reason given'}) and cannot be updated; "
            "delete it or ask AWS support, then start a new rollout."
        )


def arrived(state: EndpointState, config: str) -> bool:
    """Say whether the endpoint serves `config`, or raise DeploymentError when the update ended elsewhere.

    InService is no proof that an update took: a failed one returns to the old config's name.
    """
    if not state.in_service:
        return False
    if state.config != config:
        raise DeploymentError(
            f"the update of endpoint {state.name} to {config} did not take; it serves {state.config}: "
            f"{state.failure or 'no reason given'}."
        )
    return True


def set_weight(clients: Clients, endpoint: str, variant: str, weight: float) -> None:
    """Set the live weight of a variant."""
    with calling(f"Setting the weight of {endpoint}/{variant}"):
        clients.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=endpoint,
            DesiredWeightsAndCapacities=[{"VariantName": variant, "DesiredWeight": weight}],
        )
