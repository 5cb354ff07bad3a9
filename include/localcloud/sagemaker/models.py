"""Models: CreateModel, DescribeModel, ListModels, DeleteModel."""

from collections.abc import Callable
from typing import Any

from include.localcloud.clock import Clock
from include.localcloud.quota import Quota
from include.localcloud.sagemaker.container import containers, resolve
from include.localcloud.sagemaker.listing import page
from include.localcloud.sagemaker.tags import Tags
from include.localcloud.sagemaker.wording import check_quota, exists, missing
from include.localcloud.scope import arn
from include.localcloud.state import Record, Table

_OURS = ("Resolved",)


class Models:
    """The models; each keeps beside what was asked its containers as they will run (`Resolved`)."""

    def __init__(
        self,
        table: Table,
        *,
        tags: Tags,
        clock: Clock,
        package: Callable[[str], Record],
        artifact: Callable[[str], bool],
        quota: Quota,
    ) -> None:
        self._table = table
        self._tags = tags
        self._clock = clock
        self._package = package
        self._artifact = artifact
        self._quota = quota

    def get(self, name: str) -> Record:
        """Return the model's record; raise ValidationException when there is none."""
        if name not in self._table:
            raise missing("model", arn("sagemaker", f"model/{name.lower()}"))
        return self._table[name]

    async def CreateModel(self, params: dict[str, Any]) -> dict[str, Any]:
        name = params["ModelName"]
        model_arn = arn("sagemaker", f"model/{name.lower()}")
        if name in self._table:
            raise exists("model", model_arn)
        check_quota(self._quota, "model", len(self._table))
        record: Record = {key: value for key, value in params.items() if key != "Tags"}
        record["Resolved"] = [
            resolve(container, self._package, self._artifact) for container in containers(params)
        ]
        record["ModelArn"] = model_arn
        record["CreationTime"] = self._clock.now()
        self._tags.set(model_arn, params.get("Tags"))
        self._table[name] = record
        return {"ModelArn": model_arn}

    async def DescribeModel(self, params: dict[str, Any]) -> dict[str, Any]:
        record = self.get(params["ModelName"])
        return {"EnableNetworkIsolation": False} | {
            key: value for key, value in record.items() if key not in _OURS
        }

    async def ListModels(self, params: dict[str, Any]) -> dict[str, Any]:
        fields = ("ModelName", "ModelArn", "CreationTime")
        return page(
            self._table.values(),
            params,
            name="ModelName",
            key="Models",
            summary=lambda record: {field: record[field] for field in fields},
        )

    async def DeleteModel(self, params: dict[str, Any]) -> dict[str, Any]:
        record = self.get(params["ModelName"])
        del self._table[params["ModelName"]]
        self._tags.drop(record["ModelArn"])
        return {}
