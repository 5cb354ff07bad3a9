"""Model packages: create (with ClientToken), describe, batch describe, list, update, delete."""

from collections.abc import Mapping
from typing import Any

from include.localcloud.clock import Clock
from include.localcloud.protocol import AwsError
from include.localcloud.quota import Quota
from include.localcloud.sagemaker.listing import page
from include.localcloud.sagemaker.package_groups import CREATED_BY, PackageGroups
from include.localcloud.sagemaker.tags import Tags
from include.localcloud.sagemaker.wording import check_quota, conflict, invalid
from include.localcloud.scope import arn
from include.localcloud.state import Record, Table

_NOT_STORED = ("Tags", "ClientToken")
_HIDDEN = ("Request",)
_SUMMARY = (
    "ModelPackageName",
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "ModelPackageStatus",
    "ModelApprovalStatus",
    "ModelLifeCycle",
    "ModelPackageRegistrationType",
)
_BATCH_SUMMARY = (
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "InferenceSpecification",
    "ModelPackageStatus",
    "ModelApprovalStatus",
    "ModelPackageRegistrationType",
)
_UPDATED = (
    "ModelApprovalStatus",
    "ModelPackageRegistrationType",
    "ApprovalDescription",
    "InferenceSpecification",
    "SourceUri",
    "ModelCard",
    "ModelLifeCycle",
)


class Packages:
    """The packages of the model registry, by ARN: versions of a group, or unversioned by name."""

    def __init__(self, table: Table, *, tags: Tags, clock: Clock, quota: Quota) -> None:
        self.groups: PackageGroups  # set by whoever joins the two
        self._table = table
        self._tags = tags
        self._clock = clock
        self._quota = quota

    def get(self, name: str) -> Record:
        """Return the package by its ARN or name; raise ValidationException when there is none."""
        package_arn = name if name.startswith("arn:") else _arn(name)
        if package_arn not in self._table:
            raise invalid(f"ModelPackage {package_arn} does not exist.")
        return self._table[package_arn]

    def in_group(self, group: str) -> bool:
        """Tell whether the group holds a package."""
        return any(record.get("ModelPackageGroupName") == group for record in self._table.values())

    async def CreateModelPackage(self, params: dict[str, Any]) -> dict[str, Any]:
        known = self._same_request(params)
        if known is not None:
            return {"ModelPackageArn": known}
        now = self._clock.now()
        check_quota(self._quota, "model-package", len(self._table))
        record: Record = {key: value for key, value in params.items() if key not in _NOT_STORED}
        if "ModelPackageGroupName" in params:
            if "ModelPackageName" in params:
                text = "Both ModelPackageName and ModelPackageGroupName are provided in the input."
                raise invalid(f"{text} Cannot determine which one to use.")
            group = self.groups.get(params["ModelPackageGroupName"])["ModelPackageGroupName"]
            version = self.groups.next_version(group)
            record |= {
                "ModelPackageGroupName": group,
                "ModelPackageVersion": version,
                "ModelApprovalStatus": params.get("ModelApprovalStatus", "PendingManualApproval"),
            }
            resource = f"{group}/{version}"
        elif "ModelPackageName" in params:
            resource = params["ModelPackageName"]
            if _arn(resource) in self._table:
                raise invalid(f"ModelPackage already exists: {_arn(resource)}")
        else:
            raise invalid("Missing ARN.")
        record |= {
            "ModelPackageArn": _arn(resource),
            "ModelPackageStatus": "Completed",
            "CreationTime": now,
            "LastModifiedTime": now,
            "CreatedBy": CREATED_BY,
            "Request": params,
        }
        self._tags.set(record["ModelPackageArn"], params.get("Tags"))
        self._table[record["ModelPackageArn"]] = record
        return {"ModelPackageArn": record["ModelPackageArn"]}

    async def DescribeModelPackage(self, params: dict[str, Any]) -> dict[str, Any]:
        record = self.get(params["ModelPackageName"])
        name = record.get("ModelPackageName") or record["ModelPackageGroupName"]
        details = {"ValidationStatuses": [{"Name": name, "Status": record["ModelPackageStatus"]}]}
        shown = {key: value for key, value in record.items() if key not in _HIDDEN}
        # a version has no name of its own; the model of the response requires the field
        return {"ModelPackageName": name, "ModelPackageStatusDetails": details} | shown

    async def BatchDescribeModelPackage(self, params: dict[str, Any]) -> dict[str, Any]:
        found, errors = {}, {}
        for package_arn in params["ModelPackageArnList"]:
            try:
                record = self.get(package_arn)
            except AwsError as error:
                errors[package_arn] = {"ErrorCode": error.code, "ErrorResponse": error.message}
                continue
            summary = _chosen(record, _BATCH_SUMMARY)
            found[package_arn] = {"InferenceSpecification": {"Containers": []}} | summary
        return {"ModelPackageSummaries": found, "BatchDescribeModelPackageErrorMap": errors}

    async def ListModelPackages(self, params: dict[str, Any]) -> dict[str, Any]:
        group = params.get("ModelPackageGroupName")
        if group is not None:
            group = self.groups.get(group)["ModelPackageGroupName"]
        # versions only when a group is named, unversioned ones otherwise, unless said: the service's default
        wanted = params.get("ModelPackageType", "Versioned" if group is not None else "Unversioned")
        approval = params.get("ModelApprovalStatus")
        chosen = [
            record | {"SortName": record.get("ModelPackageName") or record["ModelPackageArn"]}
            for record in self._table.values()
            if group in {None, record.get("ModelPackageGroupName")}
            and wanted in {"Both", "Versioned" if "ModelPackageVersion" in record else "Unversioned"}
            and approval in {None, record.get("ModelApprovalStatus")}
        ]
        return page(
            chosen,
            params,
            name="SortName",
            key="ModelPackageSummaryList",
            summary=lambda record: _chosen(record, _SUMMARY),
        )

    async def UpdateModelPackage(self, params: dict[str, Any]) -> dict[str, Any]:
        record = self.get(params["ModelPackageArn"])
        if "ModelApprovalStatus" in params and "ModelPackageVersion" not in record:
            raise invalid(
                f"ModelPackage {record['ModelPackageArn']} has no version; only versions are approved."
            )
        for field in _UPDATED:
            if field in params:
                record[field] = params[field]
        properties = {
            key: value
            for key, value in record.get("CustomerMetadataProperties", {}).items()
            if key not in params.get("CustomerMetadataPropertiesToRemove", ())
        } | params.get("CustomerMetadataProperties", {})
        if len(properties) > 50:
            raise invalid(
                f"A model package has at most 50 metadata properties; it would have {len(properties)}."
            )
        record.pop("CustomerMetadataProperties", None)
        if properties:
            record["CustomerMetadataProperties"] = properties
        if "AdditionalInferenceSpecificationsToAdd" in params:
            record["AdditionalInferenceSpecifications"] = [
                *record.get("AdditionalInferenceSpecifications", ()),
                *params["AdditionalInferenceSpecificationsToAdd"],
            ]
        record["LastModifiedTime"] = self._clock.now()
        record["LastModifiedBy"] = CREATED_BY
        self._table[record["ModelPackageArn"]] = record
        return {"ModelPackageArn": record["ModelPackageArn"]}

    async def DeleteModelPackage(self, params: dict[str, Any]) -> dict[str, Any]:
        record = self.get(params["ModelPackageName"])
        del self._table[record["ModelPackageArn"]]
        self._tags.drop(record["ModelPackageArn"])
        return {}

    def _same_request(self, params: Mapping[str, Any]) -> str | None:
        """Return the ARN that the same ClientToken made before; raise if it then asked for something else."""
        token = params.get("ClientToken")
        if token is None:
            return None
        for record in self._table.values():
            if record["Request"].get("ClientToken") == token:
                if record["Request"] != params:
                    text = f"ClientToken {token} was used before with other parameters; use a new one."
                    raise conflict(text)
                package_arn: str = record["ModelPackageArn"]
                return package_arn
        return None


def _arn(resource: str) -> str:
    return arn("sagemaker", f"model-package/{resource}")


def _chosen(record: Mapping[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    return {field: record[field] for field in fields if field in record}
