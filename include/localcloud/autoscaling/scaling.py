"""What scales: looks at the policies' alarms and at the bounds, and gives variants other instance counts."""

import asyncio
import logging
import uuid
from typing import Protocol

from include.localcloud.autoscaling import policy as tracking
from include.localcloud.autoscaling.target import DIMENSION, NAMESPACE, bounded, named
from include.localcloud.clock import Clock
from include.localcloud.cloudwatch.alarms import Alarms
from include.localcloud.protocol import AwsError
from include.localcloud.state import Record, Table

log = logging.getLogger(__name__)

_EVERY = 10.0  # seconds of the clock between two looks
_LEAST = 0.2  # seconds of the machine between them, however fast the clock
_MOST_ACTIVITIES = 200
_SUSPENDED = {tracking.OUT: "DynamicScalingOutSuspended", tracking.IN: "DynamicScalingInSuspended"}


class Variants(Protocol):
    """What scaling needs of SageMaker."""

    def capacity(self, endpoint: str, variant: str) -> int | None: ...
    def is_changeable(self, endpoint: str) -> bool: ...
    async def scale(self, endpoint: str, variant: str, count: int) -> str | None: ...


class Scaling:
    """One activity a variant at a time; an endpoint that is changing is looked at again later."""

    def __init__(
        self,
        *,
        targets: Table,
        policies: Table,
        activities: Table,
        variants: Variants,
        alarms: Alarms,
        clock: Clock,
    ) -> None:
        self._targets, self._policies, self._activities = targets, policies, activities
        self._variants = variants
        self._alarms = alarms
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._acting: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Look from now on; what was under way when the local cloud ended is said to have failed."""
        for record in list(self._activities.values()):
            if record["StatusCode"] == "InProgress":
                self._end(record, "Failed", "The local cloud was restarted meanwhile.")
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Look no more, and leave what is under way."""
        tasks = [*self._acting.values(), *([] if self._task is None else [self._task])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def look(self) -> None:
        """Begin whatever activity is due for a target."""
        for resource, target in list(self._targets.items()):
            variant = named(resource)
            current = self._variants.capacity(variant.endpoint, variant.name)
            if (
                current is None
                or resource in self._acting
                or not self._variants.is_changeable(variant.endpoint)
            ):
                continue
            due = self._bounds(target, current) or self._dynamic(resource, target, current)
            if due is not None:
                count, cause = due
                task = asyncio.get_running_loop().create_task(self._act(resource, count, cause))
                self._acting[resource] = task

    def _bounds(self, target: Record, current: int) -> tuple[int, str] | None:
        count = bounded(target, current)
        if count == current:
            return None
        bound = "minimum" if count > current else "maximum"
        return count, f"{bound} capacity was set to {count}"

    def _dynamic(self, resource: str, target: Record, current: int) -> tuple[int, str] | None:
        """Return what the policies want: the most instances that any wants, fewer only if all that could agree."""
        for side in (tracking.OUT, tracking.IN):
            found = []
            policies = [record for record in self._policies.values() if record["ResourceId"] == resource]
            for policy in policies:
                count = self._wanted(policy, target, current, side)
                if count is not None:
                    found.append((count, policy))
                elif side == tracking.IN and tracking.scales_in(policy):
                    found.append((current, policy))
            if not found:
                continue
            count, policy = max(found, key=lambda each: each[0])
            if (count > current) if side == tracking.OUT else (count < current):
                policy["Scaled"] = policy.get("Scaled", {}) | {side: self._clock.now()}
                self._policies[f"{resource} {policy['PolicyName']}"] = policy
                alarm = policy["AlarmNames"][side]
                return count, f"monitor alarm {alarm} in state ALARM triggered policy {policy['PolicyName']}"
        return None

    def _wanted(self, policy: Record, target: Record, current: int, side: str) -> int | None:
        """Return the count that the policy wants in this direction, None while it wants or may do nothing."""
        if target["SuspendedState"][_SUSPENDED[side]] or (
            side == tracking.IN and not tracking.scales_in(policy)
        ):
            return None
        if self._clock.now() < policy.get("Scaled", {}).get(side, 0.0) + tracking.cooldown(policy, side):
            return None
        name = policy["AlarmNames"][side]
        value = self._alarms.last_value(name)
        if self._alarms.state(name) != "ALARM" or value is None:
            return None
        return bounded(target, tracking.wanted(policy, current, value))

    async def _act(self, resource: str, count: int, cause: str) -> None:
        variant = named(resource)
        record: Record = {
            "ActivityId": str(uuid.uuid4()),
            "ServiceNamespace": NAMESPACE,
            "ResourceId": resource,
            "ScalableDimension": DIMENSION,
            "Description": f"Setting desired instance count to {count}.",
            "Cause": cause,
            "StartTime": self._clock.now(),
            "StatusCode": "InProgress",
            "StatusMessage": f"Setting desired instance count to {count}.",
        }
        self._activities[record["ActivityId"]] = record
        log.info("%s: %d instances; %s", resource, count, cause)
        try:
            failure = await self._variants.scale(variant.endpoint, variant.name, count)
        except AwsError as error:
            failure = error.message
        finally:
            del self._acting[resource]
        if failure is None:
            done = f"Successfully set desired instance count to {count}. Change successfully fulfilled by sagemaker."
            self._end(record, "Successful", done)
        else:
            self._end(record, "Failed", f"Failed to set desired instance count to {count}. Reason: {failure}")

    def _end(self, record: Record, status: str, said: str) -> None:
        record |= {"StatusCode": status, "StatusMessage": said, "EndTime": self._clock.now()}
        self._activities[record["ActivityId"]] = record
        ended = sorted(self._activities.values(), key=lambda each: float(each["StartTime"]))
        for old in ended[:-_MOST_ACTIVITIES]:
            del self._activities[old["ActivityId"]]

    async def _run(self) -> None:
        while True:
            try:
                self.look()
            except Exception:
                log.exception("scaling")
            await self._clock.sleep(max(_EVERY, _LEAST * self._clock.scale))
