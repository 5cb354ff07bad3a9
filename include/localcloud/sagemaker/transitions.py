"""Endpoints in motion: each change of an endpoint is one task that brings fleets up, swaps and takes them down."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from include.localcloud.clock import Clock
from include.localcloud.faults import Faults
from include.localcloud.runtime.plan import FleetPlan, StartupError
from include.localcloud.sagemaker import replacement
from include.localcloud.sagemaker.artifact import ArtifactError, Artifacts
from include.localcloud.sagemaker.capacity import Capacity
from include.localcloud.sagemaker.deployment import arrived, fleet_plan, model_data, scripts
from include.localcloud.sagemaker.replacement import AlarmState, Replacement, RolledBackError, StuckError
from include.localcloud.state import Record, Table

log = logging.getLogger(__name__)

_MAX_REASON = 1024  # characters of a FailureReason in the service model
_PASSING = ("Activated", "Stage", "StageTime", "Claimed")  # what a deployment no longer says once it serves
_NO_ARTIFACT = (
    'Failed to download model data for container "container_1" from URL: "{url}". Please ensure that there is an '
    "object located at the URL and that the role passed to CreateModel has permissions to download the object."
)
_NO_SCRIPTS = "There are no scripts at {url}, which SAGEMAKER_SUBMIT_DIRECTORY names; upload the tar.gz there, or name where it is."


class Runtime(replacement.Runtime, Protocol):
    """What the transitions need of the gateway."""

    async def prepare(self, plan: FleetPlan) -> Any: ...
    def reweight(self, endpoint: str, variant: str, weight: float) -> None: ...
    def remove(self, endpoint: str) -> Any: ...


class Transitions:
    """Moves endpoint records through their statuses; one transition an endpoint at a time.

    Every step is stored before the next begins, so that a killed process finds its way on: `resume`.
    """

    def __init__(
        self,
        table: Table,
        *,
        runtime: Runtime,
        artifacts: Artifacts,
        clock: Clock,
        faults: Faults,
        forget: Callable[[str], None],
        alarm_state: AlarmState,
    ) -> None:
        self._table = table
        self._runtime = runtime
        self._artifacts = artifacts
        self._clock = clock
        self._faults = faults
        self._forget = forget  # called with the ARN of an endpoint that is gone
        self._alarm_state = alarm_state
        self._capacity = Capacity(table, faults.most_instances)
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def create(self, name: str) -> None:
        """Bring up what is pending: Creating → InService or Failed."""
        self._start(name, self._create)

    def update(self, name: str) -> None:
        """Blue/green: Updating → InService, on the old deployment and with a FailureReason if the new fails."""
        self._start(name, self._update)

    def resize(self, name: str) -> None:
        """Bring counts and weights to what is desired: Updating → InService, or back (RollingBack)."""
        self._start(name, self._resize)

    def delete(self, name: str) -> None:
        """Take the endpoint down: Deleting → gone. Its invocations fail at once."""
        self._start(name, self._delete)

    def maintain(self, name: str, seconds: float) -> None:
        """Replace the endpoint's instances by like ones, SystemUpdating → InService; it takes so many seconds."""
        self._start(name, lambda endpoint: self._maintain(endpoint, seconds))

    async def resume(self) -> None:
        """Return when every endpoint that served before the restart serves again; go on with what was under way."""
        deployments = [
            record[field]
            for record in self._table.values()
            for field in ("Serving", "Pending", "Former")
            if field in record
        ]
        self._artifacts.prune(
            name for deployed in deployments for name in deployed.get("Artifacts", {}).values()
        )
        serving = [name for name, record in self._table.items() if record.get("Serving")]
        await asyncio.gather(*(self._bring_back(name) for name in serving))
        for name, record in list(self._table.items()):
            match record["EndpointStatus"]:
                case "Creating":
                    self.create(name)
                case "Updating" if record.get("Pending"):
                    self.update(name)
                case "Deleting":
                    self.delete(name)
                case _:
                    pass

    async def rest(self, name: str) -> None:
        """Return when no transition of the endpoint is under way."""
        while (task := self._tasks.get(name)) is not None:
            await asyncio.wait({task})

    async def close(self) -> None:
        """Stop every transition where it is; its endpoint stays as stored."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, name: str, transition: Callable[[str], Awaitable[None]]) -> None:
        async def run() -> None:
            try:
                await self._clock.sleep(self._faults.delay(name))
                await transition(name)
            except Exception as error:
                log.exception("transition of endpoint %s failed", name)
                status = "InService" if self._table[name].get("Serving") else "Failed"
                self._settle(name, status, f"{type(error).__name__}: {error}")
            finally:
                if self._tasks.get(name) is asyncio.current_task():
                    del self._tasks[name]

        record = self._table[name]
        log.info("endpoint %s: %s", name, record["EndpointStatus"])
        self._tasks[name] = asyncio.get_running_loop().create_task(run())

    async def _create(self, name: str) -> None:
        record = self._table[name]
        try:
            fleet = await self._prepare(name, record["Pending"], None)
        except StartupError as error:
            self._settle(name, "Failed", str(error))
            return
        self._runtime.activate(fleet)
        self._take_over(name)

    async def _update(self, name: str) -> None:
        record = self._table[name]
        update = Replacement(
            record,
            runtime=self._runtime,
            prepare=lambda counts: self._prepare(name, record["Pending"], counts),
            store=lambda: self._store(name),
            alarm_state=self._alarm_state,
            capacity=self._capacity,
            clock=self._clock,
        )
        try:
            await update.run()
        except (StartupError, RolledBackError) as error:
            self._settle(name, "InService", str(error))
        except StuckError as error:
            self._settle(name, "UpdateRollbackFailed", str(error))
        else:
            self._take_over(name)

    async def _resize(self, name: str) -> None:
        serving = self._table[name]["Serving"]
        try:
            await self._apply(name, "DesiredInstanceCount", "DesiredWeight")
        except StartupError as error:
            self._table[name]["EndpointStatus"] = "RollingBack"
            for variant in serving["Variants"]:
                variant["DesiredInstanceCount"] = variant["CurrentInstanceCount"]
                variant["DesiredWeight"] = variant["CurrentWeight"]
            self._store(name)
            log.info("endpoint %s: RollingBack", name)
            await self._apply(name, "CurrentInstanceCount", "CurrentWeight")
            self._settle(name, "InService", str(error))
            return
        arrived(serving)
        self._settle(name, "InService", None)

    async def _apply(self, name: str, count: str, weight: str) -> None:
        variants, more = self._table[name]["Serving"]["Variants"], Counter[str]()
        for variant in variants:
            more[variant["InstanceType"]] += max(0, variant[count] - variant["CurrentInstanceCount"])
        for instance_type, instances in more.items():  # of all variants together, before one of them has any
            self._capacity.require(instance_type, instances)
        for variant in variants:
            await self._runtime.resize(name, variant["VariantName"], variant[count])
            self._runtime.reweight(name, variant["VariantName"], variant[weight])

    async def _maintain(self, name: str, seconds: float) -> None:
        """Keep every request answered and everything that was asked for as it is, LastModifiedTime included."""
        record, end = self._table[name], self._clock.now() + seconds
        try:
            former = self._runtime.activate(await self._prepare(name, record["Serving"], {}))
            if former is not None:
                await self._runtime.retire(former)
        except StartupError as error:
            log.warning("endpoint %s keeps its instances through the maintenance: %s", name, error)
        await self._clock.sleep(max(0.0, end - self._clock.now()))
        record["EndpointStatus"] = "InService"
        self._store(name)
        log.info("endpoint %s: InService after maintenance", name)

    async def _delete(self, name: str) -> None:
        beside = self._runtime.withdraw(name)
        for fleet in (self._runtime.remove(name), beside):
            if fleet is not None:
                await self._runtime.retire(fleet)
        arn = self._table[name]["EndpointArn"]
        del self._table[name]
        self._forget(arn)
        log.info("endpoint %s: deleted", name)

    async def _bring_back(self, name: str) -> None:
        record = self._table[name]
        if record.get("Pending", {}).get("Activated"):  # killed after the swap: the new one serves
            record["Serving"] = record.pop("Pending")
            for field in _PASSING:
                record["Serving"].pop(field, None)
            record["EndpointConfigName"] = record["Serving"]["Config"]["EndpointConfigName"]
        try:
            self._runtime.activate(await self._prepare(name, record["Serving"], {}))
        except StartupError as error:
            self._settle(name, "Failed", f"The endpoint did not come back after a restart: {error}")
            return
        arrived(record["Serving"])
        if record["EndpointStatus"] != "Deleting" and not record.get("Pending"):
            record["EndpointStatus"] = "InService"
            log.info("endpoint %s: InService again", name)
        self._store(name)

    async def _prepare(self, name: str, deployed: Record, counts: Mapping[str, int] | None) -> Any:
        """Return a fleet of the deployment, with as many instances as it desires where `counts` says nothing.

        Capacity is claimed for one that comes beside what serves, not for what comes back after a restart ({}).
        """
        wanted = {variant["VariantName"]: variant["DesiredInstanceCount"] for variant in deployed["Variants"]}
        if counts != {}:
            self._capacity.claim(deployed, counts or wanted)
        files: dict[str, Path] = {}
        for container in deployed["Containers"].values():
            for url, refusal in ((model_data(container), _NO_ARTIFACT), (scripts(container), _NO_SCRIPTS)):
                if url is not None:
                    files[url] = await self._artifact(deployed, url, refusal)
        self._store(name)
        region = self._table[name]["EndpointArn"].split(":")[3]
        plan = fleet_plan(name, region, deployed, files, wanted | dict(counts or {}))
        return await self._runtime.prepare(plan)

    async def _artifact(self, deployed: Record, url: str, refusal: str) -> Path:
        """Return the archive as the deployment first found it, even if S3's object changed or went since."""
        known = deployed.setdefault("Artifacts", {})
        if url in known and (copy := self._artifacts.copy(known[url])) is not None:
            return copy
        try:
            file = await self._artifacts.fetch(url)
        except ArtifactError as error:
            raise StartupError(refusal.format(url=url)) from error
        known[url] = file.name
        return file

    def _take_over(self, name: str) -> None:
        record = self._table[name]
        record["Serving"] = record.pop("Pending")
        for field in _PASSING:
            record["Serving"].pop(field, None)
        arrived(record["Serving"])
        record["EndpointConfigName"] = record["Serving"]["Config"]["EndpointConfigName"]
        self._settle(name, "InService", None)

    def _settle(self, name: str, status: str, reason: str | None) -> None:
        """End a transition: what was pending is gone, and the reason says why if it did not work."""
        record = self._table[name]
        record.pop("Pending", None)
        record.pop("FailureReason", None)
        if reason is not None:
            record["FailureReason"] = reason[:_MAX_REASON]
        record["EndpointStatus"] = status
        record["LastModifiedTime"] = self._clock.now()
        self._store(name)
        config = record["EndpointConfigName"]
        log.info("endpoint %s: %s on %s%s", name, status, config, f" ({reason})" if reason else "")

    def _store(self, name: str) -> None:
        self._table[name] = self._table[name]
