"""A DeploymentConfig as values: which updates it may guide, in which steps, and for how long each is watched.

Bounds and defaults: service model (BlueGreenUpdatePolicy, RollingUpdatePolicy); the rule about variant names:
developer guide, "deployment guardrails: exclusions".
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from include.localcloud.sagemaker.wording import invalid
from include.localcloud.state import Record

_SIZES = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}
_LEAST_STEP, _MOST_STEP = 0.10, 0.50  # of a linear step; a canary is at most half
_LEAST_BATCH = 0.05  # of a rolling update's batch; it is at most half too
_LONGEST = 28_800.0  # seconds a deployment may take when its policy does not say


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrail:
    """How an update is carried out."""

    shares: tuple[float, ...]  # of the traffic on the new fleet, step by step; the last is 1
    bake: float  # seconds that each step is watched
    termination_wait: float  # seconds that the old fleet stays after the last step
    longest: float  # seconds for all of it
    alarms: tuple[str, ...]
    batch: int | None = None  # instances of a rolling update's step; None is blue/green
    rollback_batch: int | None = None  # instances of the old fleet that come back at a time

    @property
    def guarded(self) -> bool:
        """Whether anything is watched or done in steps."""
        return bool(self.alarms or self.bake or len(self.shares) > 1 or self.batch)


def guardrail(policy: Mapping[str, Any] | None, new: Record) -> Guardrail:
    """Return how the deployment `new` is to come about; raise ValidationException for a policy that cannot be.

    Without a policy: blue/green, all at once, nothing watched.
    """
    policy = policy or {}
    alarms = tuple(
        alarm["AlarmName"] for alarm in policy.get("AutoRollbackConfiguration", {}).get("Alarms", ())
    )
    if "BlueGreenUpdatePolicy" in policy and "RollingUpdatePolicy" in policy:
        raise invalid(
            "DeploymentConfig has both BlueGreenUpdatePolicy and RollingUpdatePolicy; it has one of them."
        )
    if "RollingUpdatePolicy" in policy:
        return _rolling(policy["RollingUpdatePolicy"], new, alarms)
    return _blue_green(policy.get("BlueGreenUpdatePolicy", {}), new, alarms)


def check_names(plan: Guardrail, old: Record, new: Record) -> None:
    """Raise ValidationException where a guarded update would change the names of production variants.

    Guardrails are for configs whose variants have the same names as before; an update that is all at once, with
    neither a wait nor alarms, is free.
    """
    if not plan.guarded:
        return
    before, after = (_names(deployed) for deployed in (old, new))
    if before != after:
        raise invalid(
            f"The endpoint's production variants are {before} and the new config's are {after}; canary, linear and "
            "rolling updates and automatic rollback need the same names. Leave DeploymentConfig out, or keep the names."
        )
    if plan.batch and (
        len(before) > 1 or any(variant["Shadow"] for variant in old["Variants"] + new["Variants"])
    ):
        raise invalid(
            "Rolling updates are for endpoints with one variant; use BlueGreenUpdatePolicy for this one."
        )


def _blue_green(policy: Mapping[str, Any], new: Record, alarms: tuple[str, ...]) -> Guardrail:
    routing = policy.get("TrafficRoutingConfiguration", {})
    kind = routing.get("Type", "ALL_AT_ONCE")
    bake = float(routing.get("WaitIntervalInSeconds", 0))
    wait = float(policy.get("TerminationWaitInSeconds", 0))
    for other, size in _SIZES.items():
        if (size in routing) != (kind == other):
            said = "needs" if kind == other else "has no"
            raise invalid(f"Traffic routing of type {kind} {said} {size}.")
    shares: tuple[float, ...] = (1.0,)
    if kind in _SIZES:
        share = _share(routing[_SIZES[kind]], _instances(new))
        if share > _MOST_STEP or (kind == "LINEAR" and share < _LEAST_STEP):
            least = "10 % to 50 %" if kind == "LINEAR" else "at most 50 %"
            raise invalid(
                f"{_SIZES[kind]} is {share:.0%} of the fleet's {_instances(new)} instances; it must be {least}."
            )
        steps = 2 if kind == "CANARY" else math.ceil(round(1 / share, 9))
        shares = (*(share * step for step in range(1, steps)), 1.0)
    longest = _longest(policy, bake * len(shares) + wait)
    return Guardrail(shares=shares, bake=bake, termination_wait=wait, longest=longest, alarms=alarms)


def _rolling(policy: Mapping[str, Any], new: Record, alarms: tuple[str, ...]) -> Guardrail:
    count, size = _instances(new), policy["MaximumBatchSize"]
    share = _share(size, count)
    if share < _LEAST_BATCH or (share > _MOST_STEP and count > 1):
        raise invalid(
            f"MaximumBatchSize is {share:.0%} of the fleet's {count} instances; it must be 5 % to 50 %."
        )
    batch = _batch(size, count)
    back = policy.get("RollbackMaximumBatchSize")
    bake = float(policy["WaitIntervalInSeconds"])
    steps = math.ceil(count / batch)
    return Guardrail(
        shares=tuple(min(1.0, batch * step / count) for step in range(1, steps + 1)),
        bake=bake,
        termination_wait=0.0,
        longest=_longest(policy, bake * steps),
        alarms=alarms,
        batch=batch,
        rollback_batch=None if back is None else _batch(back, count),
    )


def _longest(policy: Mapping[str, Any], waits: float) -> float:
    longest = float(policy.get("MaximumExecutionTimeoutInSeconds", _LONGEST))
    if waits >= longest:
        raise invalid(
            f"The deployment waits for {waits:g} seconds in all; MaximumExecutionTimeoutInSeconds is {longest:g} and "
            "must be more than that."
        )
    return longest


def _names(deployed: Record) -> list[str]:
    return sorted(variant["VariantName"] for variant in deployed["Variants"] if not variant["Shadow"])


def _instances(deployed: Record) -> int:
    return sum(variant["DesiredInstanceCount"] for variant in deployed["Variants"] if not variant["Shadow"])


def _share(size: Mapping[str, Any], instances: int) -> float:
    value: int = size["Value"]
    return value / 100 if size["Type"] == "CAPACITY_PERCENT" else value / instances


def _batch(size: Mapping[str, Any], instances: int) -> int:
    return min(instances, math.ceil(round(_share(size, instances) * instances, 9)))
