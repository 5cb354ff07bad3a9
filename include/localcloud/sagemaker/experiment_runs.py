"""Inference experiments in motion: one task each carries its experiment from creation to its end.

A task knows nothing but the experiment's record: operations change the record and wake the task, and after a restart
it finds its way on from what is stored.
"""

import asyncio
import logging
import uuid
from collections.abc import Mapping
from typing import Any

from include.localcloud.clock import Clock
from include.localcloud.protocol import AwsError
from include.localcloud.sagemaker import experiment
from include.localcloud.sagemaker.endpoint_configs import EndpointConfigs
from include.localcloud.sagemaker.endpoints import Endpoints
from include.localcloud.scope import Scope, enter
from include.localcloud.state import Record, Table

log = logging.getLogger(__name__)

_MAX_REASON = 1024  # characters of a StatusReason in the service model
_LONGEST_NAME = 52  # of an experiment's name in the name of its config, which has 63 characters


class FailedError(Exception):
    """What the experiment wanted of its endpoint did not come about; the text says why."""


class ExperimentRuns:
    """Moves experiments through their statuses; everything is stored before the next step begins."""

    def __init__(self, table: Table, *, endpoints: Endpoints, configs: EndpointConfigs, clock: Clock) -> None:
        self._table = table
        self._endpoints = endpoints
        self._configs = configs
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._changes: dict[str, asyncio.Event] = {}

    def carry_on(self, name: str) -> None:
        """Look at the experiment's record again now, and whenever its time comes."""
        if name in self._tasks:
            self._changes[name].set()
            return
        self._changes[name] = asyncio.Event()
        self._tasks[name] = asyncio.get_running_loop().create_task(self._run(name))

    def resume(self) -> None:
        """Go on with every experiment that is not over."""
        for name, record in self._table.items():
            if record["Status"] not in experiment.OVER:
                self.carry_on(name)

    async def close(self) -> None:
        """Leave every experiment where it is, as stored."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, name: str) -> None:
        enter(Scope(self._table[name]["Arn"].split(":")[3], "sagemaker"))
        try:
            while name in self._table and self._table[name]["Status"] not in experiment.OVER:
                try:
                    await self._step(name, self._table[name])
                except (FailedError, AwsError) as error:
                    said = error.message if isinstance(error, AwsError) else str(error)
                    self._end(name, "Cancelled", said)
                except Exception as error:
                    log.exception("inference experiment %s failed", name)
                    self._end(name, "Cancelled", f"{type(error).__name__}: {error}")
        finally:
            del self._tasks[name], self._changes[name]

    async def _step(self, name: str, record: Record) -> None:
        planned = record["Schedule"]
        match record["Status"]:
            case "Creating":
                self._become(name, "Created")
            case "Created" if planned["StartTime"] <= self._clock.now():
                self._become(name, "Starting")
            case "Created":
                await self._until(name, planned["StartTime"])
            case "Starting":
                await self._start(name, record)
                self._become(name, "Running")
            case "Running" if planned["EndTime"] <= self._clock.now():
                record["Stop"] = {
                    "Serves": experiment.source_name(record),
                    "State": "Completed",
                    "Natural": True,
                }
                self._become(name, "Stopping")
            case "Running":
                await self._until(name, planned["EndTime"])
            case "Updating":
                if record["Before"] == "Running":
                    await self._sample(record)
                self._become(name, record.pop("Before"))
            case "Stopping":
                await self._stop(name, record)
                stop = record["Stop"]
                self._end(name, stop["State"], stop.get("Reason"))

    async def _start(self, name: str, record: Record) -> None:
        """Bring the endpoint to the experiment's config, which is generated first."""
        endpoint = record["EndpointName"]
        await self._endpoints.rest(endpoint)
        exists = endpoint in self._endpoints
        goal = self._goal(name, record, "Config")
        if goal not in self._configs:
            base = None
            if exists:
                base = self._endpoints.base(endpoint)
                experiment.check_endpoint(record, self._endpoints.get(endpoint)["Serving"])
            self._configs.create(experiment.config(record, goal, base))
        if not exists:
            self._endpoints.launch(endpoint, goal)
        elif self._endpoints.get(endpoint)["EndpointConfigName"] != goal:
            self._endpoints.lend(endpoint, goal)
        await self._arrived(endpoint, goal)

    async def _stop(self, name: str, record: Record) -> None:
        """Bring the endpoint to what the stop says; at the natural end, to the state before the experiment."""
        endpoint, stop = record["EndpointName"], record["Stop"]
        if stop.get("Untouched"):
            return
        await self._endpoints.rest(endpoint)
        if stop.get("Natural") and self._endpoints.is_lent(endpoint):
            await self._arrived(endpoint, self._endpoints.give_back(endpoint))
            return
        if "Beside" in stop and "Desired" not in stop:
            return  # both stay as they are
        goal = self._goal(name, record, "ConfigAfter")
        if goal not in self._configs:
            base = self._endpoints.base(endpoint)
            live = self._endpoints.desired_counts(endpoint)
            self._configs.create(experiment.config_after(record, goal, base, stop, live))
        if self._endpoints.get(endpoint)["EndpointConfigName"] != goal:
            self._endpoints.deploy(endpoint, goal)
        await self._arrived(endpoint, goal)

    async def _sample(self, record: Record) -> None:
        endpoint, shadow = record["EndpointName"], experiment.shadow_name(record)
        await self._endpoints.rest(endpoint)
        share = experiment.sampling(record) / 100
        if (
            self._endpoints.weight(endpoint, shadow) != share
        ):  # else there is nothing to change on the endpoint
            self._endpoints.reweigh(endpoint, shadow, share)
            await self._endpoints.rest(endpoint)

    async def _arrived(self, endpoint: str, config: str) -> None:
        await self._endpoints.rest(endpoint)
        record = self._endpoints.get(endpoint)
        if record["EndpointConfigName"] != config or record["EndpointStatus"] != "InService":
            reason = record.get("FailureReason", f"its status is {record['EndpointStatus']}")
            raise FailedError(f"The endpoint {endpoint} did not come to the config {config}: {reason}")

    def _goal(self, name: str, record: Record, field: str) -> str:
        """Return the generated config's name, stored before the config exists so that a restart finds it."""
        if field not in record:
            record[field] = f"{name[:_LONGEST_NAME]}-{uuid.uuid4().hex[:10]}"
            self._table[name] = record
        generated: str = record[field]
        return generated

    async def _until(self, name: str, moment: float) -> None:
        """Return when the clock is there, or when the record changed."""
        change = self._changes[name]
        change.clear()
        waits = {
            asyncio.ensure_future(self._clock.sleep(moment - self._clock.now())),
            asyncio.ensure_future(change.wait()),
        }
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _become(self, name: str, status: str) -> None:
        record = self._table[name]
        record["Status"] = status
        record["LastModifiedTime"] = self._clock.now()
        self._table[name] = record
        log.info("inference experiment %s: %s", name, status)

    def _end(self, name: str, status: str, reason: str | None) -> None:
        record = self._table[name]
        if reason:
            record["StatusReason"] = " ".join(reason.split())[:_MAX_REASON]
        record.pop("Before", None)
        record["CompletionTime"] = self._clock.now()
        record["Deployed"] = deployed(record, self._endpoints)
        if record["EndpointName"] in self._endpoints:
            self._endpoints.release(record["EndpointName"])
        self._become(name, status)


def deployed(record: Mapping[str, Any], endpoints: Endpoints) -> list[str]:
    """Return which of the experiment's variants are on the endpoint now."""
    endpoint = record["EndpointName"]
    if endpoint not in endpoints:
        return []
    live = {
        variant["VariantName"] for variant in endpoints.get(endpoint).get("Serving", {}).get("Variants", ())
    }
    names = [variant["VariantName"] for variant in record["ModelVariants"]]
    return [name for name in names if name in live]
