"""Faults of instances: slower, failing or wrong answers that a test asks for while the endpoint serves.

The gateway decides for each request what is to happen and writes it into the request; the instance does it, so that
the waiting is part of ModelLatency, as it is when a model itself is slow.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from include.localcloud.runtime.container.orders import HEADER, Orders

_LONGEST = 60.0  # seconds: an instance that takes longer has timed out
_BODY = b"\r\n\r\n"

Delay = Callable[["Moment", random.Random], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a request is sent: seconds since the fault was put in force, and since the instance was ready."""

    fault_age: float
    instance_age: float


@dataclass(frozen=True, kw_only=True)
class Disturbance:
    """One fault of the instances of a variant; "" means every endpoint, or every variant."""

    shown: Mapping[str, Any]  # in the form in which it was asked for
    endpoint: str
    variant: str
    since: float  # monotonic seconds
    delay: Delay | None = None
    error_share: float = 0.0
    error_status: int = 500
    wrong_share: float = 0.0

    def concerns(self, endpoint: str, variant: str) -> bool:
        """Say whether it is a fault of this variant."""
        return self.endpoint in {"", endpoint} and self.variant in {"", variant}


@dataclass(slots=True)
class Disturbances:
    """The faults in force; where several concern a request, delays add up and any one error or lie will do."""

    chance: random.Random = field(default_factory=random.Random)
    in_force: list[Disturbance] = field(default_factory=list)

    def ordered(
        self, endpoint: str, variant: str, payload: bytes, *, instance_age: float, now: float
    ) -> bytes:
        """Return the HTTP request with what the instance is to do written into its head, if there is anything."""
        wait, status, wrong = 0.0, 0, False
        for fault in self.in_force:
            if not fault.concerns(endpoint, variant):
                continue
            if fault.delay is not None:
                moment = Moment(fault_age=now - fault.since, instance_age=instance_age)
                wait += fault.delay(moment, self.chance)
            if fault.error_share and self.chance.random() < fault.error_share:
                status = fault.error_status
            if fault.wrong_share and _position(payload) < fault.wrong_share:
                wrong = True
        orders = Orders(wait=min(wait, _LONGEST), status=status, wrong=wrong)
        if orders == Orders():
            return payload
        line, end, rest = payload.partition(b"\r\n")
        return b"%b%b%b: %b\r\n%b" % (line, end, HEADER, orders.text(), rest)


def _position(payload: bytes) -> float:
    """Return a number in [0, 1) that only the body determines: the same inputs are always the wrong ones."""
    body = payload.partition(_BODY)[2]
    return int.from_bytes(blake2b(body, digest_size=8, person=b"wrong").digest(), "big") / 2.0**64


def constant(milliseconds: float) -> Delay:
    """Return a delay that is always the same."""
    return lambda _moment, _chance: milliseconds / 1e3


def heavy_tail(milliseconds: float, shape: float) -> Delay:
    """Return a Pareto delay: at least `milliseconds`, P(longer than t) = (milliseconds / t) ** shape."""
    return lambda _moment, chance: milliseconds / 1e3 * (1.0 - chance.random()) ** (-1.0 / shape)


def ramp(milliseconds: float, seconds: float) -> Delay:
    """Return a delay that grows from 0 to `milliseconds` in the first `seconds` of the fault, and stays."""
    return lambda moment, _chance: milliseconds / 1e3 * min(1.0, moment.fault_age / seconds)


def cold_start(milliseconds: float, seconds: float) -> Delay:
    """Return a delay that shrinks from `milliseconds` to 0 in the first `seconds` of each instance's life."""
    return lambda moment, _chance: milliseconds / 1e3 * max(0.0, 1.0 - moment.instance_age / seconds)
