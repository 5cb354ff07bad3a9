"""Models and the model registry: groups, packages, approval and metadata."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from include.aws.clients import Clients
from include.aws.endpoints import tag_list
from include.aws.faults import already_exists, calling, is_missing
from include.rollout.errors import RefusedError

_NOT_ARGUMENTS = {"ModelArn", "CreationTime", "ResponseMetadata", "DeploymentRecommendation"}
_CONTAINER_KEYS = ("Image", "ModelDataUrl", "ModelDataSource", "Environment")


def describe_model(clients: Clients, name: str) -> dict[str, Any] | None:
    """Return the arguments that would make the model again, or None when it does not exist."""
    with calling(f"Describing model {name}"):
        try:
            answer = clients.sagemaker.describe_model(ModelName=name)
        except ClientError as error:
            if is_missing(error):
                return None
            raise
    return {key: value for key, value in answer.items() if key not in _NOT_ARGUMENTS}


def container(clients: Clients, model: Mapping[str, Any]) -> dict[str, Any]:
    """Return the model's single container, with a model package resolved to what it names.

    Raises RefusedError for a model of several containers: SageMaker's shadow tests exclude those.
    """
    containers = model.get("Containers") or [model.get("PrimaryContainer")]
    if len(containers) != 1 or containers[0] is None:
        raise RefusedError(
            f"model {model['ModelName']} has {len(containers)} containers; SageMaker shadows single-container models only."
        )
    found = dict(containers[0])
    package = found.get("ModelPackageName")
    if package:
        inside = describe_package(clients, package)["InferenceSpecification"]["Containers"][0]
        found = {**{key: inside[key] for key in _CONTAINER_KEYS if key in inside}, **found}
        del found["ModelPackageName"]
    return {key: found[key] for key in _CONTAINER_KEYS if found.get(key)}


def describe_package(clients: Clients, arn: str) -> dict[str, Any]:
    """Return a model package as DescribeModelPackage has it."""
    with calling(f"Describing model package {arn}"):
        return dict(clients.sagemaker.describe_model_package(ModelPackageName=arn))


def ensure_group(clients: Clients, name: str, tags: Mapping[str, str]) -> None:
    """Make sure that the model package group exists."""
    with calling(f"Creating model package group {name}"):
        try:
            clients.sagemaker.describe_model_package_group(ModelPackageGroupName=name)
        except ClientError as error:
            if not is_missing(error):
                raise
            try:
                clients.sagemaker.create_model_package_group(ModelPackageGroupName=name, Tags=tag_list(tags))
            except ClientError as race:
                if not already_exists(race):
                    raise


def register_package(
    clients: Clients,
    group: str,
    container: Mapping[str, Any],
    *,
    token: str,
    content_type: str,
    metadata: Mapping[str, str],
) -> str:
    """Register a package pending approval and return its ARN; the same `token` registers the same package once.

    A version of a group cannot have tags of its own (CreateModelPackage), so what it is for stands in its metadata.
    """
    with calling(f"Registering a model package in {group}"):
        answer = clients.sagemaker.create_model_package(
            ModelPackageGroupName=group,
            ClientToken=token,
            ModelApprovalStatus="PendingManualApproval",
            InferenceSpecification={
                "Containers": [dict(container)],
                "SupportedContentTypes": [content_type],
                "SupportedResponseMIMETypes": [content_type],
            },
            CustomerMetadataProperties=dict(metadata),
        )
    return str(answer["ModelPackageArn"])


def find_package(clients: Clients, group: str, *, key: str, value: str, since: datetime) -> str | None:
    """Return the ARN of the newest package of the group whose metadata has `key` = `value`, or None.

    Only packages made since a minute before `since` are looked at, each of which costs a call.
    """
    with calling(f"Listing the packages of {group}"):
        try:
            pages = clients.sagemaker.get_paginator("list_model_packages").paginate(
                ModelPackageGroupName=group,
                CreationTimeAfter=since - timedelta(minutes=1),
                SortBy="CreationTime",
                SortOrder="Descending",
            )
            for page in pages:
                for summary in page["ModelPackageSummaryList"]:
                    arn = str(summary["ModelPackageArn"])
                    if describe_package(clients, arn).get("CustomerMetadataProperties", {}).get(key) == value:
                        return arn
        except ClientError as error:
            if not is_missing(error):
                raise
    return None


def newest_packages(clients: Clients, group: str, *, approval: str) -> Iterator[dict[str, Any]]:
    """Yield the group's packages of an approval status as DescribeModelPackage has them, the newest first.

    Each costs a call when it is asked for: a listing leaves metadata out.
    """
    with calling(f"Listing the packages of {group}"):
        pages = clients.sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=group,
            ModelApprovalStatus=approval,
            SortBy="CreationTime",
            SortOrder="Descending",
        )
        for page in pages:
            for summary in page["ModelPackageSummaryList"]:
                if summary["ModelPackageStatus"] == "Completed":
                    yield describe_package(clients, str(summary["ModelPackageArn"]))


def judge_package(clients: Clients, arn: str, *, status: str | None, metadata: Mapping[str, str]) -> None:
    """Write what came of a package: `status` (Approved or Rejected, or None to leave it) and metadata."""
    arguments: dict[str, Any] = {"ModelPackageArn": arn, "CustomerMetadataProperties": dict(metadata)}
    if status is not None:
        arguments["ModelApprovalStatus"] = status
        arguments["ApprovalDescription"] = metadata.get("penumbra-outcome", "")[:1024]
    with calling(f"Updating model package {arn}"):
        clients.sagemaker.update_model_package(**arguments)


def ensure_model(clients: Clients, arguments: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    """Make sure that the model exists; one of that name is ours, since names derive from the rollout."""
    name = arguments["ModelName"]
    with calling(f"Creating model {name}"):
        try:
            clients.sagemaker.create_model(**arguments, Tags=tag_list(tags))
        except ClientError as error:
            if not already_exists(error):
                raise


def tag_model(clients: Clients, name: str, tags: Mapping[str, str]) -> None:
    """Add tags to a model, over those of the same key."""
    with calling(f"Tagging model {name}"):
        arn = clients.sagemaker.describe_model(ModelName=name)["ModelArn"]
        clients.sagemaker.add_tags(ResourceArn=arn, Tags=tag_list(tags))


def delete_model(clients: Clients, name: str) -> bool:
    """Delete a model; False when it was not there."""
    with calling(f"Deleting model {name}"):
        try:
            clients.sagemaker.delete_model(ModelName=name)
        except ClientError as error:
            if is_missing(error):
                return False
            raise
    return True
