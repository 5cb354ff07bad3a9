"""Inference experiments: Create, Describe, List, Update, Start, Stop and Delete."""

from typing import Any

from include.localcloud.clock import Clock
from include.localcloud.quota import Quota
from include.localcloud.sagemaker import experiment
from include.localcloud.sagemaker.endpoint_configs import EndpointConfigs
from include.localcloud.sagemaker.endpoints import Endpoints
from include.localcloud.sagemaker.experiment_runs import ExperimentRuns, deployed
from include.localcloud.sagemaker.listing import page
from include.localcloud.sagemaker.tags import Tags
from include.localcloud.sagemaker.wording import (
    check_quota,
    conflict,
    in_progress,
    in_use,
    invalid,
    not_found,
)
from include.localcloud.scope import arn
from include.localcloud.state import Record, Table

_LISTED = (
    "Name",
    "Type",
    "Schedule",
    "Status",
    "StatusReason",
    "Description",
    "CreationTime",
    "CompletionTime",
    "LastModifiedTime",
    "RoleArn",
)
_SHOWN = ("Arn", *_LISTED, "DataStorageConfig", "ShadowModeConfig", "KmsKey")
_HOLDING = ("Starting", "Running", "Stopping")  # in these an experiment has its endpoint to itself


class InferenceExperiments:
    """The experiments' operations: check, note what is wanted, hand over to the runs."""

    def __init__(
        self,
        table: Table,
        *,
        endpoints: Endpoints,
        configs: EndpointConfigs,
        runs: ExperimentRuns,
        tags: Tags,
        clock: Clock,
        quota: Quota,
    ) -> None:
        self._table = table
        self._endpoints = endpoints
        self._configs = configs
        self._runs = runs
        self._tags = tags
        self._clock = clock
        self._quota = quota

    def get(self, name: str) -> Record:
        """Return the experiment's record; raise ResourceNotFound when there is none."""
        if name not in self._table:
            raise not_found("inference experiment", _arn(name))
        return self._table[name]

    def holder(self, endpoint: str) -> str | None:
        """Return the experiment that has the endpoint to itself now, from its start to the end of its stop."""
        for record in self._table.values():
            if record["EndpointName"] == endpoint and record.get("Before", record["Status"]) in _HOLDING:
                name: str = record["Name"]
                return name
        return None

    async def CreateInferenceExperiment(self, params: dict[str, Any]) -> dict[str, Any]:
        name, now = params["Name"], self._clock.now()
        if name in self._table:
            raise in_use(f'Cannot create already existing inference experiment "{_arn(name)}".')
        for other in self._table.values():
            if other["EndpointName"] == params["EndpointName"] and other["Status"] not in experiment.OVER:
                raise in_use(
                    f"The endpoint {params['EndpointName']} is in use by the inference experiment {other['Name']}, "
                    f"which is {other['Status']}; stop that one first."
                )
        record: Record = {key: value for key, value in params.items() if key != "Tags"}
        record["Schedule"] = experiment.schedule(params.get("Schedule", {}), {}, now)
        self._check(record)
        check_quota(self._quota, "inference-experiment", len(self._table))
        record |= {"Arn": _arn(name), "Status": "Creating", "CreationTime": now, "LastModifiedTime": now}
        self._tags.set(record["Arn"], params.get("Tags"))
        self._table[name] = record
        self._runs.carry_on(name)
        return {"InferenceExperimentArn": record["Arn"]}

    async def DescribeInferenceExperiment(self, params: dict[str, Any]) -> dict[str, Any]:
        record = self.get(params["Name"])
        shown = {field: record[field] for field in _SHOWN if field in record}
        shown["EndpointMetadata"] = self._metadata(record["EndpointName"])
        shown["ModelVariants"] = [
            variant | {"Status": self._variant_status(record, variant["VariantName"])}
            for variant in record["ModelVariants"]
        ]
        return shown

    async def ListInferenceExperiments(self, params: dict[str, Any]) -> dict[str, Any]:
        status = params.get("StatusEquals")
        return page(
            (record for record in self._table.values() if status in {None, record["Status"]}),
            params,
            name="Name",
            key="InferenceExperiments",
            summary=lambda record: {field: record[field] for field in _LISTED if field in record},
            status="Status",
        )

    async def UpdateInferenceExperiment(self, params: dict[str, Any]) -> dict[str, Any]:
        record = self._in(params["Name"], ("Created", "Running"), "updated")
        new = experiment.changed(record, params, self._clock.now())
        if record["Status"] == "Created":
            self._check(new)
        new["Before"], new["Status"] = record["Status"], "Updating"
        return self._store(new)

    async def StartInferenceExperiment(self, params: dict[str, Any]) -> dict[str, Any]:
        record = self._in(params["Name"], ("Created",), "started")
        record["Schedule"] = experiment.started_now(record["Schedule"], self._clock.now())
        record["Status"] = "Starting"
        return self._store(record)

    async def StopInferenceExperiment(self, params: dict[str, Any]) -> dict[str, Any]:
        record = self._in(params["Name"], ("Created", "Running"), "stopped")
        stop = experiment.stopping(record, params)
        stop["State"] = params.get("DesiredState", "Cancelled")
        if "Reason" in params:
            stop["Reason"] = params["Reason"]
        if record["Status"] == "Created":
            if stop["Serves"] != experiment.source_name(record) or "Desired" in stop:
                raise conflict(
                    f"The inference experiment {record['Name']} is Created and has changed nothing yet; it can be "
                    "called off, with its production variant retained."
                )
            stop["Untouched"] = True
        record["Stop"] = stop
        record["Status"] = "Stopping"
        return self._store(record)

    async def DeleteInferenceExperiment(self, params: dict[str, Any]) -> dict[str, Any]:
        record = self._in(params["Name"], experiment.OVER, "deleted")
        del self._table[record["Name"]]
        self._tags.drop(record["Arn"])
        return {"InferenceExperimentArn": record["Arn"]}

    def _check(self, record: Record) -> None:
        """Raise for an experiment that could not run on the endpoint as it is now."""
        experiment.check(record)
        endpoint, base = record["EndpointName"], None
        if endpoint in self._endpoints:
            found = self._endpoints.get(endpoint)
            if found["EndpointStatus"] == "Failed":
                raise invalid(
                    f"The endpoint {endpoint} is Failed; an inference experiment needs one that is InService, or a "
                    "name for a new one."
                )
            if found["EndpointStatus"] != "InService":
                raise in_progress(found["EndpointArn"])
            experiment.check_endpoint(record, found["Serving"])
            base = self._endpoints.base(endpoint)
        self._configs.check(experiment.config(record, "generated", base))

    def _in(self, name: str, statuses: tuple[str, ...], done: str) -> Record:
        record = self.get(name)
        if record["Status"] not in statuses:
            raise conflict(
                f"The inference experiment {name} is {record['Status']}; it can be {done} when it is "
                f"{' or '.join(statuses)}."
            )
        return dict(record)

    def _store(self, record: Record) -> dict[str, Any]:
        record["LastModifiedTime"] = self._clock.now()
        self._table[record["Name"]] = record
        self._runs.carry_on(record["Name"])
        return {"InferenceExperimentArn": record["Arn"]}

    def _metadata(self, endpoint: str) -> dict[str, Any]:
        metadata = {"EndpointName": endpoint}
        if endpoint in self._endpoints:
            found = self._endpoints.get(endpoint)
            fields = ("EndpointConfigName", "EndpointStatus", "FailureReason")
            metadata |= {field: found[field] for field in fields if field in found}
        return metadata

    def _variant_status(self, record: Record, variant: str) -> str:
        live = record["Deployed"] if "Deployed" in record else deployed(record, self._endpoints)
        match record.get("Before", record["Status"]):
            case "Completed" | "Cancelled":
                return "InService" if variant in live else "Deleted"
            case "Stopping" if variant not in (record["Stop"]["Serves"], record["Stop"].get("Beside")):
                return "Deleting"
            case "Running" if record["Status"] == "Updating" and variant == experiment.shadow_name(record):
                return "Updating"
            case "Starting" if variant in live:
                return "Updating"
            case _:
                return "InService" if variant in live else "Creating"


def _arn(name: str) -> str:
    return arn("sagemaker", f"inference-experiment/{name.lower()}")
