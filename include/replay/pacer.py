"""When each request is sent: pacers turn requests into a schedule."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np

from include.replay.request import Request
from include.rollout.errors import ReplayError

_BATCH = 1024


class Pacer(Protocol):
    """Decides when each request leaves; never how it is sent or what is in it."""

    def schedule(self, requests: Iterable[Request]) -> Iterator[tuple[float, Request]]:
        """Yield each request with its offset in seconds from the start; offsets never decrease."""
        ...


@dataclass(frozen=True, kw_only=True)
class Constant:
    """One request every 1/rate seconds; the first at 0."""

    rate: float  # requests per second, above 0

    def __post_init__(self) -> None:
        _positive("rate", self.rate)

    def offsets(self) -> Iterator[float]:
        """Yield k/rate, computed from k, so that rounding never drifts."""
        count = 0
        while True:
            yield count / self.rate
            count += 1

    def schedule(self, requests: Iterable[Request]) -> Iterator[tuple[float, Request]]:
        """Pair the offsets with the requests."""
        return zip(self.offsets(), requests, strict=False)


@dataclass(frozen=True, kw_only=True)
class Poisson:
    """Exponential gaps of mean 1/rate, the same for the same seed: independent callers."""

    rate: float  # requests per second, above 0
    seed: int

    def __post_init__(self) -> None:
        _positive("rate", self.rate)

    def offsets(self) -> Iterator[float]:
        """Yield the arrival times of a Poisson process of this rate."""
        random = np.random.default_rng(self.seed)
        at = 0.0
        while True:
            arrivals = at + np.cumsum(random.exponential(1 / self.rate, _BATCH))
            yield from arrivals.tolist()
            at = float(arrivals[-1])

    def schedule(self, requests: Iterable[Request]) -> Iterator[tuple[float, Request]]:
        """Pair the offsets with the requests."""
        return zip(self.offsets(), requests, strict=False)


@dataclass(frozen=True, kw_only=True)
class Ramp:
    """A Poisson process whose rate goes in a straight line from `first` to `last`, then stays.

    Arrivals come from a unit-rate process by time change: with Λ(t) the integral of the rate, the
    k-th arrival is Λ⁻¹(E₁ + … + E_k) (Çinlar, "Introduction to Stochastic Processes", 1975, §4.7).
    """

    first: float  # requests per second at the start, at least 0
    last: float  # requests per second at the end, above 0
    length: float  # seconds
    seed: int

    def __post_init__(self) -> None:
        _positive("last", self.last)
        _positive("length", self.length)
        if not (self.first >= 0 and math.isfinite(self.first)):
            msg = f"a ramp's first rate is {self.first}; it must be at least 0 and finite"
            raise ValueError(msg)

    def offsets(self) -> Iterator[float]:
        """Yield the arrival times."""
        slope = (self.last - self.first) / self.length
        area = (self.first + self.last) / 2 * self.length  # Λ(length)
        random = np.random.default_rng(self.seed)
        mass = 0.0
        while True:
            masses = mass + np.cumsum(random.exponential(1.0, _BATCH))
            mass = float(masses[-1])
            for value in masses.tolist():
                if value >= area:
                    yield self.length + (value - area) / self.last
                else:  # solves slope/2·t² + first·t = value, in the form that is stable for slope → 0
                    root = math.sqrt(self.first * self.first + 2 * slope * value)
                    yield 2 * value / (self.first + root)

    def schedule(self, requests: Iterable[Request]) -> Iterator[tuple[float, Request]]:
        """Pair the offsets with the requests."""
        return zip(self.offsets(), requests, strict=False)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """The gaps of the recording, divided by `speed`, none longer than `longest_gap` of the recording.

    A request that was recorded before the one ahead of it leaves at once after it: order is kept,
    time never runs backwards. `schedule` raises ReplayError for a request without a recorded time.
    """

    speed: float = 1.0
    longest_gap: float | None = None  # seconds of the recording; nights are cut short

    def __post_init__(self) -> None:
        _positive("speed", self.speed)
        if self.longest_gap is not None:
            _positive("longest gap", self.longest_gap)

    def schedule(self, requests: Iterable[Request]) -> Iterator[tuple[float, Request]]:
        """Pair each request with the sum of the gaps before it; the first leaves at 0."""
        longest = math.inf if self.longest_gap is None else self.longest_gap
        offset, previous = 0.0, None
        for request in requests:
            recorded = request.recorded
            if recorded is None:
                msg = (
                    f"the request {request.origin or '(without a name)'} has no recorded time; replay captures, or "
                    f"choose the pacer constant or poisson"
                )
                raise ReplayError(msg)
            if previous is not None:
                offset += min(max(0.0, recorded - previous), longest) / self.speed
            previous = recorded
            yield offset, request


@dataclass(frozen=True, kw_only=True)
class Share:
    """Every `shards`-th entry of another pacer's schedule: all shards together are that schedule.

    Every shard must be given the same pacer and the whole of the requests.
    """

    pacer: Pacer
    shard: int  # from 0
    shards: int

    def __post_init__(self) -> None:
        if not 0 <= self.shard < self.shards:
            msg = f"shard {self.shard} of {self.shards} was asked for; shards are numbered from 0"
            raise ValueError(msg)

    def schedule(self, requests: Iterable[Request]) -> Iterator[tuple[float, Request]]:
        """Yield this shard's part."""
        return islice(self.pacer.schedule(requests), self.shard, None, self.shards)


@dataclass(frozen=True, kw_only=True)
class Copied:
    """Every entry of another pacer's schedule `copies` times, all at its time and one after another."""

    pacer: Pacer
    copies: int

    def __post_init__(self) -> None:
        if self.copies < 1:
            msg = f"{self.copies} copies of each request were asked for; there must be at least 1"
            raise ValueError(msg)

    def schedule(self, requests: Iterable[Request]) -> Iterator[tuple[float, Request]]:
        """Yield each entry as often as asked."""
        for entry in self.pacer.schedule(requests):
            for _ in range(self.copies):
                yield entry


@dataclass(frozen=True, kw_only=True)
class Saturating:
    """Each request is due the moment the sender can take it: a closed loop, to measure capacity.

    A stalled target slows this schedule down, so its latencies flatter; never judge a model by them.
    """

    clock: Callable[[], float] = time.monotonic

    def schedule(self, requests: Iterable[Request]) -> Iterator[tuple[float, Request]]:
        """Yield each request with the time that has passed."""
        clock, start = self.clock, self.clock()
        for request in requests:
            yield clock() - start, request


def _positive(name: str, value: float) -> None:
    if not (value > 0 and math.isfinite(value)):
        msg = f"a pacer's {name} is {value}; it must be above 0 and finite"
        raise ValueError(msg)
