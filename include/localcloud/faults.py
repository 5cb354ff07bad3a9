"""Faults that a test asks for: errors of control-plane calls, slow transitions, metrics that stay away."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from include.localcloud.protocol import AwsError

_FIELDS = {"operation", "code", "status", "message", "times", "after", "delay", "endpoint", "metrics"}


class FaultError(ValueError):
    """A fault that cannot be: one sentence that says why."""


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
    delays: dict[str | None, float] = field(
        default_factory=dict
    )  # seconds by endpoint; None is every endpoint
    dropped_metrics: set[str | None] = field(default_factory=set)  # endpoints; None is every endpoint
    set_metric_fault: Callable[[str | None, str | None], None] = lambda endpoint, fault: None

    def add(self, wanted: dict[str, Any]) -> None:
        """Put the fault in force; raise FaultError for one that makes no sense.

        Forms: {"operation", "code", "status": 400, "message": "", "times": 1 | null, "after": 0};
        {"delay": seconds, "endpoint": name?}; {"metrics": "drop", "endpoint": name?}.
        """
        unknown = wanted.keys() - _FIELDS
        if unknown:
            raise FaultError(f"a fault has no field {sorted(unknown)}; known are {sorted(_FIELDS)}")
        if "operation" in wanted:
            self.calls.append(_call_fault(wanted))
        elif "delay" in wanted:
            delay = wanted["delay"]
            if isinstance(delay, bool) or not isinstance(delay, int | float) or delay < 0:
                raise FaultError(f"delay is {delay!r}; it must be 0 or more seconds")
            self.delays[wanted.get("endpoint")] = float(delay)
        elif "metrics" in wanted:
            if wanted["metrics"] != "drop":
                raise FaultError(f"metrics is {wanted['metrics']!r}; allowed is 'drop'")
            self.dropped_metrics.add(wanted.get("endpoint"))
            self.set_metric_fault(wanted.get("endpoint"), "drop")
        else:
            raise FaultError("a fault needs one of the fields operation, delay or metrics")

    def clear(self) -> None:
        """Take every fault back."""
        self.calls.clear()
        self.delays.clear()
        for endpoint in self.dropped_metrics:
            self.set_metric_fault(endpoint, None)
        self.dropped_metrics.clear()

    def shown(self) -> list[dict[str, Any]]:
        """Return the faults in force, each in the form that `add` takes."""
        return [
            *(dataclasses.asdict(fault) for fault in self.calls),
            *({"delay": seconds, "endpoint": endpoint} for endpoint, seconds in self.delays.items()),
            *({"metrics": "drop", "endpoint": endpoint} for endpoint in self.dropped_metrics),
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
