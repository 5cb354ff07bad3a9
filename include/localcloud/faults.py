"""Faults that a test asks for: errors of calls, slow transitions, metrics that stay away, instances that misbehave."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from include.localcloud.protocol import AwsError
from include.localcloud.quota import INSTANCES, KINDS
from include.localcloud.runtime.disturbance import (
    Delay,
    Disturbance,
    Disturbances,
    cold_start,
    constant,
    heavy_tail,
    ramp,
)

_INSTANCES = {"endpoint", "variant"}
_KINDS: Mapping[str, set[str]] = {  # the field that tells what a fault is -> the fields beside it
    "operation": {"code", "status", "message", "times", "after"},
    "delay": {"endpoint"},
    "maintenance": {"endpoint"},
    "capacity": {"instance_type"},
    "quota": {"of"},
    "metrics": {"endpoint", "seconds", "share"},
    "latency": _INSTANCES | {"ms", "seconds", "shape"},
    "errors": _INSTANCES | {"status"},
    "wrong": _INSTANCES,
    "crash": _INSTANCES,
}
_METRICS = {"drop": "", "delay": "seconds", "gaps": "share"}  # kind -> the field with its amount
_LATENCIES = {
    "constant": {"ms"},
    "heavy_tail": {"ms", "shape"},
    "ramp": {"ms", "seconds"},
    "cold_start": {"ms", "seconds"},
}


class FaultError(ValueError):
    """A fault that cannot be: one sentence that says why."""


class DataPlane(Protocol):
    """What serves: the gateway."""

    disturbances: Disturbances

    def crash(self, endpoint: str, variant: str, count: int) -> None: ...


@dataclass(slots=True, kw_only=True)
class CallFault:
    """An error that a control-plane operation answers instead of acting."""

    operation: str
    code: str
    message: str
    status: int
    after: int  # calls that still pass before it begins
    times: int | None  # calls that it still answers; None is for ever


@dataclass(slots=True, kw_only=True)
class Faults:
    """The faults in force; empty in ordinary life."""

    calls: list[CallFault] = field(default_factory=list)
    # Seconds by endpoint; None is every endpoint.
    delays: dict[str | None, float] = field(default_factory=dict)
    # Most instances at once by type; None is every type.
    capacity: dict[str | None, int] = field(default_factory=dict)
    quotas: dict[str, int] = field(default_factory=dict)  # most of a kind of resource or an instance type
    # (endpoint, None for every one; kind) -> its amount: seconds of a delay, share of a gap
    metrics: dict[tuple[str | None, str], float] = field(default_factory=dict)
    set_metric_fault: Callable[..., None] = lambda endpoint, fault, amount=0.0: None
    data_plane: DataPlane | None = None
    maintain: Callable[[str, float], None] | None = None  # the control plane's: endpoint, seconds

    def add(self, wanted: dict[str, Any]) -> None:
        """Put the fault in force; raise FaultError for one that makes no sense.

        Forms: {"operation", "code", "status": 400, "message": "", "times": 1 | null, "after": 0};
        {"delay": seconds, "endpoint"?}; {"maintenance": seconds, "endpoint"}, which begins now; {"capacity": most instances of a type at once, "instance_type"?};
        {"quota": most, "of": a kind of resource or an instance type};
        {"metrics": "drop" | "delay" | "gaps", "seconds" | "share", "endpoint"?};
        {"latency": "constant" | "heavy_tail" | "ramp" | "cold_start", "ms", "shape" | "seconds"},
        {"errors": share, "status": 500} and {"wrong": share}, each with "endpoint"? and "variant"?;
        {"crash": instances, "endpoint", "variant"}, which happens once, now.
        """
        match _kind(wanted):
            case "operation":
                self.calls.append(_call_fault(wanted))
            case "delay":
                seconds = _amount(wanted, "delay", 0.0)
                self.delays[wanted.get("endpoint")] = seconds
            case "maintenance":
                self._maintain(wanted)
            case "capacity":
                self.capacity[wanted.get("instance_type")] = _count(wanted, "capacity")
            case "quota":
                self.quotas[_limited(wanted)] = _count(wanted, "quota")
            case "metrics":
                self._add_metric_fault(wanted)
            case "crash":
                self._crash(wanted)
            case _:
                self._instances().disturbances.in_force.append(_disturbance(wanted))

    def clear(self) -> None:
        """Take every fault back."""
        self.calls.clear()
        self.delays.clear()
        self.capacity.clear()
        self.quotas.clear()
        for endpoint in {endpoint for endpoint, _ in self.metrics}:
            self.set_metric_fault(endpoint, None)
        self.metrics.clear()
        if self.data_plane is not None:
            self.data_plane.disturbances.in_force.clear()

    def shown(self) -> list[dict[str, Any]]:
        """Return the faults in force, each in the form that `add` takes."""
        disturbances = self.data_plane.disturbances.in_force if self.data_plane is not None else []
        return [
            *(dataclasses.asdict(fault) for fault in self.calls),
            *({"delay": seconds, "endpoint": endpoint} for endpoint, seconds in self.delays.items()),
            *({"capacity": most, "instance_type": kind} for kind, most in self.capacity.items()),
            *({"quota": most, "of": kind} for kind, most in self.quotas.items()),
            *(
                {"metrics": kind, "endpoint": endpoint} | ({_METRICS[kind]: amount} if _METRICS[kind] else {})
                for (endpoint, kind), amount in self.metrics.items()
            ),
            *(dict(disturbance.shown) for disturbance in disturbances),
        ]

    def raise_for(self, operation: str) -> None:
        """Raise the operation's fault if one is due, and count the call."""
        for fault in self.calls:
            if fault.operation != operation:
                continue
            if fault.after > 0:
                fault.after -= 1
                continue
            if fault.times is not None:
                fault.times -= 1
                if fault.times <= 0:
                    self.calls.remove(fault)
            raise AwsError(fault.code, fault.message, fault.status)

    def delay(self, endpoint: str) -> float:
        """Return the seconds by which the endpoint's next transition is held up."""
        return self.delays.get(endpoint, self.delays.get(None, 0.0))

    def most_instances(self, instance_type: str) -> int | None:
        """Return how many instances of the type are to be had at once, None for as many as one likes."""
        return self.capacity.get(instance_type, self.capacity.get(None))

    def quota(self, kind: str) -> int | None:
        """Return how many there may be of a kind of resource or of an instance type, None for no limit."""
        return self.quotas.get(kind)

    def _add_metric_fault(self, wanted: dict[str, Any]) -> None:
        kind = wanted["metrics"]
        if not isinstance(kind, str) or kind not in _METRICS:
            allowed = ", ".join(repr(each) for each in _METRICS)
            raise FaultError(f"metrics is {kind!r}; allowed are {allowed}")
        name = _METRICS[kind]
        _only(wanted, {name} if name else set(), {"seconds", "share"}, f"metrics fault {kind}")
        amount = _amount(wanted, name, 0.0, 1.0 if name == "share" else 86400.0) if name else 0.0
        self.metrics[wanted.get("endpoint"), kind] = amount
        self.set_metric_fault(wanted.get("endpoint"), kind, amount)

    def _maintain(self, wanted: dict[str, Any]) -> None:
        seconds = _amount(wanted, "maintenance", 0.0, 86400.0)
        if not wanted.get("endpoint"):
            raise FaultError("a maintenance needs an endpoint")
        if self.maintain is None:
            raise FaultError("there is no control plane here; a maintenance needs one")
        self.maintain(wanted["endpoint"], seconds)

    def _crash(self, wanted: dict[str, Any]) -> None:
        count = wanted["crash"]
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise FaultError(f"crash is {count!r}; it must be 1 or more instances")
        if not wanted.get("endpoint") or not wanted.get("variant"):
            raise FaultError("a crash needs an endpoint and a variant")
        try:
            self._instances().crash(wanted["endpoint"], wanted["variant"], count)
        except KeyError as error:
            raise FaultError(
                f"there is no {error.args[0]!r} serving now; name an endpoint and one of its variants"
            ) from error

    def _instances(self) -> DataPlane:
        if self.data_plane is None:
            raise FaultError("nothing serves here; faults of instances need the runtime")
        return self.data_plane


def _kind(wanted: dict[str, Any]) -> str:
    """Return which fault it is; raise FaultError for none, several, or fields that do not belong to it."""
    fields = set(_KINDS).union(*_KINDS.values())
    if unknown := wanted.keys() - fields:
        raise FaultError(f"a fault has no field {sorted(unknown)}; known are {sorted(fields)}")
    kinds = [kind for kind in _KINDS if kind in wanted]
    if len(kinds) != 1:
        found = f"{' and '.join(kinds)} are given" if kinds else "none is given"
        raise FaultError(f"a fault needs one of the fields {', '.join(_KINDS)}; {found}")
    (kind,) = kinds
    if foreign := wanted.keys() - {kind} - _KINDS[kind]:
        raise FaultError(f"a fault with {kind} has no field {sorted(foreign)}; it has {sorted(_KINDS[kind])}")
    for name in _INSTANCES:
        if wanted.get(name) is not None and not isinstance(wanted[name], str):
            raise FaultError(f"{name} is {wanted[name]!r}; it must be a name")
    return kind


def _disturbance(wanted: dict[str, Any]) -> Disturbance:
    delay: Delay | None = None
    status = wanted.get("status", 500)
    if "latency" in wanted:
        delay = _delay(wanted)
    if isinstance(status, bool) or not isinstance(status, int) or not 400 <= status <= 599:
        raise FaultError(f"status is {status!r}; it must be an HTTP error status")
    return Disturbance(
        shown=dict(wanted),
        endpoint=wanted.get("endpoint") or "",
        variant=wanted.get("variant") or "",
        since=time.monotonic(),
        delay=delay,
        error_share=_amount(wanted, "errors", 0.0, 1.0) if "errors" in wanted else 0.0,
        error_status=status,
        wrong_share=_amount(wanted, "wrong", 0.0, 1.0) if "wrong" in wanted else 0.0,
    )


def _delay(wanted: dict[str, Any]) -> Delay:
    kind = wanted["latency"]
    if not isinstance(kind, str) or kind not in _LATENCIES:
        raise FaultError(f"latency is {kind!r}; allowed are {', '.join(map(repr, _LATENCIES))}")
    _only(wanted, _LATENCIES[kind], {"ms", "seconds", "shape"}, f"latency fault {kind}")
    milliseconds = _amount(wanted, "ms", 0.0, 60_000.0)
    match kind:
        case "heavy_tail":
            return heavy_tail(milliseconds, _amount(wanted, "shape", 0.1, 100.0))
        case "ramp":
            return ramp(milliseconds, _amount(wanted, "seconds", 0.1, 86400.0))
        case "cold_start":
            return cold_start(milliseconds, _amount(wanted, "seconds", 0.1, 86400.0))
    return constant(milliseconds)


def _only(wanted: dict[str, Any], needed: set[str], possible: set[str], what: str) -> None:
    if missing := needed - wanted.keys():
        raise FaultError(f"a {what} needs {sorted(missing)}")
    if foreign := (possible - needed) & wanted.keys():
        raise FaultError(f"a {what} has no {sorted(foreign)}; it has {sorted(needed)}")


def _amount(wanted: dict[str, Any], name: str, least: float, most: float = 1e9) -> float:
    value = wanted[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        upper = f"between {least:g} and {most:g}" if most < 1e9 else f"{least:g} or more"
        raise FaultError(f"{name} is {value!r}; it must be a number {upper}")
    return float(value)


def _count(wanted: dict[str, Any], name: str) -> int:
    most = wanted[name]
    if isinstance(most, bool) or not isinstance(most, int) or most < 0:
        raise FaultError(f"{name} is {most!r}; it must be a number of 0 or more")
    return most


def _limited(wanted: dict[str, Any]) -> str:
    kind = wanted.get("of")
    if not isinstance(kind, str) or not (kind in KINDS or kind.startswith(INSTANCES)):
        allowed = ", ".join(KINDS)
        raise FaultError(f"a quota is of {kind!r}; allowed are an instance type, {allowed}")
    return kind


def _call_fault(wanted: dict[str, Any]) -> CallFault:
    times, after, status = wanted.get("times", 1), wanted.get("after", 0), wanted.get("status", 400)
    if "code" not in wanted:
        raise FaultError("a fault of an operation needs a code, such as ThrottlingException")
    if times is not None and (not isinstance(times, int) or times < 1):
        raise FaultError(f"times is {times!r}; it must be 1 or more, or null for ever")
    if not isinstance(after, int) or after < 0:
        raise FaultError(f"after is {after!r}; it must be 0 or more")
    if not isinstance(status, int) or not 400 <= status <= 599:
        raise FaultError(f"status is {status!r}; it must be an HTTP error status")
    return CallFault(
        operation=str(wanted["operation"]),
        code=str(wanted["code"]),
        message=str(
            wanted.get("message", "Rate exceeded" if "Throttl" in str(wanted["code"]) else "Injected fault")
        ),
        status=status,
        after=after,
        times=times,
    )
