"""One update of an endpoint: the new fleet comes up, takes the traffic in steps and is watched, the old one goes.

Whatever goes wrong before the last step is over brings all traffic back to the old fleet.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from include.localcloud.clock import Clock
from include.localcloud.runtime.plan import StartupError
from include.localcloud.sagemaker.capacity import Capacity
from include.localcloud.sagemaker.deployment import arrived
from include.localcloud.sagemaker.guardrail import Guardrail, guardrail
from include.localcloud.state import Record

log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0  # of the clock, between two looks at the alarms
_ALARM = "ALARM"

AlarmState = Callable[[str], str | None]  # name -> state, None if there is no such alarm


class RolledBackError(Exception):
    """The old fleet serves again; the text is the endpoint's FailureReason."""


class StuckError(Exception):
    """The way back failed as well: both fleets serve, as far as they got; the text is the FailureReason."""


class Runtime(Protocol):
    """What a replacement needs of the gateway."""

    def activate(self, fleet: Any) -> Any: ...
    def share(self, fleet: Any, share: float) -> None: ...
    def withdraw(self, endpoint: str) -> Any: ...
    async def retire(self, fleet: Any) -> None: ...
    async def resize(self, endpoint: str, variant: str, count: int) -> None: ...
    async def scale(self, fleet: Any, variant: str, count: int) -> None: ...


Prepare = Callable[[Mapping[str, int] | None], Awaitable[Any]]  # counts by variant, None for the desired ones


class Replacement:
    """Carries out what is pending on an endpoint's record; `store` keeps the record at every step."""

    def __init__(
        self,
        record: Record,
        *,
        runtime: Runtime,
        prepare: Prepare,
        store: Callable[[], None],
        alarm_state: AlarmState,
        capacity: Capacity,
        clock: Clock,
    ) -> None:
        self._endpoint: str = record["EndpointName"]
        self._serving: Record = record["Serving"]
        self._pending: Record = record["Pending"]
        self._plan: Guardrail = guardrail(self._pending.get("DeploymentConfig"), self._pending)
        self._runtime = runtime
        self._prepare = prepare
        self._store = store
        self._alarm_state = alarm_state
        self._capacity = capacity
        self._clock = clock

    async def run(self) -> None:
        """Return when the new fleet serves alone.

        Raises StartupError or RolledBackError with the old fleet serving, StuckError with both.
        """
        self._check_before()
        leftover = self._runtime.withdraw(self._endpoint)
        if leftover is not None:  # the new fleet of an update that got stuck
            await self._runtime.retire(leftover)
        green = await (self._roll() if self._plan.batch else self._shift())
        blue = self._runtime.activate(green)
        self._pending["Activated"] = True
        self._stage("Baking")
        await self._clock.sleep(self._plan.termination_wait)
        if blue is not None:
            await self._runtime.retire(blue)

    async def _shift(self) -> Any:
        green = await self._prepare(None)
        arrived(self._pending)
        try:
            for share in self._plan.shares:
                await self._step(green, share)
        except RolledBackError:
            await self._back(green)
            raise
        return green

    async def _roll(self) -> Any:
        """Bring the new fleet up batch by batch; a batch of the old one goes when its successor is trusted."""
        (variant,) = self._pending["Variants"]
        (old,) = self._serving["Variants"]
        name, wanted, before = (
            variant["VariantName"],
            variant["DesiredInstanceCount"],
            old["CurrentInstanceCount"],
        )
        batch = self._plan.batch or wanted
        up = min(batch, wanted)
        green = await self._prepare({name: up})
        try:
            for share in self._plan.shares:
                if share > self._plan.shares[0]:
                    up = min(up + batch, wanted)
                    self._stage("Creating")
                    self._capacity.claim(self._pending, {name: up})
                    await self._runtime.scale(green, name, up)
                variant["CurrentInstanceCount"] = up
                await self._step(green, share)
                left = before - round(before * share)
                if 0 < left < old["CurrentInstanceCount"]:
                    await self._runtime.resize(self._endpoint, name, left)
                    old["CurrentInstanceCount"] = left
                    self._store()
        except (RolledBackError, StartupError) as error:
            await self._restore(name, old, before, str(error))
            await self._back(green)
            raise RolledBackError(str(error)) from error
        return green

    async def _restore(self, name: str, old: Record, before: int, reason: str) -> None:
        """Bring the old fleet's instances back, in batches if the policy says so."""
        batch = self._plan.rollback_batch or before
        while old["CurrentInstanceCount"] < before:
            count = min(before, old["CurrentInstanceCount"] + batch)
            try:
                self._capacity.require(old["InstanceType"], count - old["CurrentInstanceCount"])
                await self._runtime.resize(self._endpoint, name, count)
            except StartupError as error:
                raise StuckError(f"{reason} The rollback failed as well: {error}") from error
            old["CurrentInstanceCount"] = count
            self._store()

    async def _step(self, green: Any, share: float) -> None:
        if self._plan.guarded:
            self._stage("ActivatingTraffic")
            self._runtime.share(green, share)
            log.info("endpoint %s: %.0f %% of the traffic on the new fleet", self._endpoint, share * 100)
            self._stage("Baking")
            await self._bake()

    async def _bake(self) -> None:
        """Return when the wait is over; raise RolledBackError as soon as an alarm is off or the time is up."""
        end = self._clock.now() + self._plan.bake
        while True:
            for name in self._plan.alarms:
                if self._alarm_state(name) == _ALARM:
                    raise RolledBackError(
                        f"The deployment was rolled back: the CloudWatch alarm {name} is in ALARM state."
                    )
            if self._clock.now() - self._pending["StartTime"] > self._plan.longest:
                raise RolledBackError(
                    f"The deployment was rolled back: it took longer than {self._plan.longest:g} seconds "
                    "(MaximumExecutionTimeoutInSeconds)."
                )
            left = end - self._clock.now()
            if left <= 0:
                return
            await self._clock.sleep(min(left, _LOOK_SECONDS) if self._plan.alarms else left)

    async def _back(self, green: Any) -> None:
        self._runtime.withdraw(self._endpoint)
        self._stage("Deleting")
        await self._runtime.retire(green)

    def _check_before(self) -> None:
        for name in self._plan.alarms:
            if self._alarm_state(name) is None:
                raise RolledBackError(
                    f"The deployment was not begun: the CloudWatch alarm {name} of AutoRollbackConfiguration does "
                    "not exist."
                )
            if self._alarm_state(name) == _ALARM:
                raise RolledBackError(
                    f"The deployment was not begun: the CloudWatch alarm {name} of AutoRollbackConfiguration is in "
                    "ALARM state already."
                )

    def _stage(self, stage: str) -> None:
        self._pending["Stage"] = stage
        self._pending["StageTime"] = self._clock.now()
        self._store()
