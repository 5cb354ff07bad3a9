"""Model package groups: create, describe, list, delete."""

from collections.abc import Callable
from typing import Any

from include.localcloud.clock import Clock
from include.localcloud.quota import Quota
from include.localcloud.sagemaker.listing import page
from include.localcloud.sagemaker.tags import Tags
from include.localcloud.sagemaker.wording import check_quota, conflict, invalid
from include.localcloud.scope import ACCOUNT, arn
from include.localcloud.state import Record, Table

CREATED_BY = {
    "IamIdentity": {
        "Arn": f"arn:aws:iam::{ACCOUNT}:root",
        "PrincipalId": ACCOUNT,
    }
}


class PackageGroups:
    """The groups of the model registry; `has_packages` tells whether a group still holds packages."""

    def __init__(
        self,
        table: Table,
        *,
        tags: Tags,
        clock: Clock,
        quota: Quota,
        has_packages: Callable[[str], bool],
    ) -> None:
        self._table = table
        self._tags = tags
        self._clock = clock
        self._quota = quota
        self._has_packages = has_packages

    def get(self, name: str) -> Record:
        """Return the group's record by its name or ARN; raise ValidationException when there is none."""
        short = name.rpartition("/")[2]
        if short not in self._table:
            raise invalid(f"ModelPackageGroup {_arn(short)} does not exist.")
        return self._table[short]

    async def CreateModelPackageGroup(self, params: dict[str, Any]) -> dict[str, Any]:
        name = params["ModelPackageGroupName"]
        if name in self._table:
            raise invalid(f"Model Package Group already exists: {_arn(name)}")
        check_quota(self._quota, "model-package-group", len(self._table))
        record: Record = {key: value for key, value in params.items() if key != "Tags"}
        record |= {
            "ModelPackageGroupArn": _arn(name),
            "CreationTime": self._clock.now(),
            "CreatedBy": CREATED_BY,
            "ModelPackageGroupStatus": "Completed",
        }
        self._tags.set(_arn(name), params.get("Tags"))
        self._table[name] = record
        return {"ModelPackageGroupArn": record["ModelPackageGroupArn"]}

    async def DescribeModelPackageGroup(self, params: dict[str, Any]) -> dict[str, Any]:
        record = self.get(params["ModelPackageGroupName"])
        return {key: value for key, value in record.items() if key != "LastVersion"}

    async def ListModelPackageGroups(self, params: dict[str, Any]) -> dict[str, Any]:
        hidden = ("CreatedBy", "LastVersion")
        ours = params.get("CrossAccountFilterOption", "SameAccount") == "SameAccount"
        return page(
            self._table.values() if ours else (),
            params,
            name="ModelPackageGroupName",
            key="ModelPackageGroupSummaryList",
            order="Ascending",
            summary=lambda record: {key: value for key, value in record.items() if key not in hidden},
        )

    async def DeleteModelPackageGroup(self, params: dict[str, Any]) -> dict[str, Any]:
        record = self.get(params["ModelPackageGroupName"])
        name = record["ModelPackageGroupName"]
        if self._has_packages(name):
            raise conflict(
                f"Model Package Group {record['ModelPackageGroupArn']} cannot be deleted: it has packages."
            )
        del self._table[name]
        self._tags.drop(record["ModelPackageGroupArn"])
        return {}

    def next_version(self, name: str) -> int:
        """Return the group's next version number, which no other package of the group ever had."""
        record = self.get(name)
        record["LastVersion"] = record.get("LastVersion", 0) + 1
        self._table[record["ModelPackageGroupName"]] = record
        version: int = record["LastVersion"]
        return version


def _arn(name: str) -> str:
    return arn("sagemaker", f"model-package-group/{name}")
