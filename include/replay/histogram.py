"""Latency histograms that merge exactly: logarithmic buckets of equal relative width."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

ALPHA = 0.005
"""Relative accuracy of every quantile: an estimate lies within 0.5 % of the recorded value."""

LOWEST = 1e-6
"""Seconds; everything at or below is one bucket (a microsecond is under any clock's noise here)."""

HIGHEST = 1e4
"""Seconds; everything above is one bucket."""

_GAMMA = (1 + ALPHA) / (1 - ALPHA)
_LOG_GAMMA = math.log(_GAMMA)
_BUCKETS = math.ceil(math.log(HIGHEST / LOWEST) / _LOG_GAMMA) + 2


def _no_counts() -> NDArray[np.int64]:
    return np.zeros(_BUCKETS, dtype=np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Histogram:
    """Durations in seconds, counted in buckets whose bounds grow by (1+α)/(1-α), α = 0.005.

    The bucket scheme is DDSketch's (Masson, Rim, Lee, "DDSketch", VLDB 2019, §2) without its
    collapsing: the range is fixed, so merging is an addition and loses nothing. Sums are whole
    nanoseconds, so that merging is exact in any order.
    """

    counts: NDArray[np.int64] = field(default_factory=_no_counts, repr=False)
    total_ns: int = 0
    minimum: float | None = None  # seconds
    maximum: float | None = None  # seconds

    def __post_init__(self) -> None:
        if self.counts.shape != (_BUCKETS,):
            msg = f"a histogram has {self.counts.shape} buckets; it must have {_BUCKETS}"
            raise ValueError(msg)
        if self.counts.min() < 0 or self.total_ns < 0:
            msg = "a histogram has a negative count or sum; counts and durations are at least 0"
            raise ValueError(msg)
        if (self.count == 0) != (self.minimum is None) or (self.minimum is None) != (self.maximum is None):
            msg = "a histogram has a minimum and a maximum exactly when it has values"
            raise ValueError(msg)
        self.counts.flags.writeable = False

    @classmethod
    def of(cls, seconds: NDArray[np.float64]) -> Histogram:
        """Count every value; a negative or non-finite one raises ValueError."""
        if seconds.size == 0:
            return cls()
        low, high = float(seconds.min()), float(seconds.max())
        if not (low >= 0 and math.isfinite(high)):
            msg = f"durations run from {low} to {high}; they must be finite and at least 0"
            raise ValueError(msg)
        index = np.ceil(np.log(np.maximum(seconds, LOWEST) / LOWEST) / _LOG_GAMMA).astype(np.int64)
        counts = np.bincount(np.minimum(index, _BUCKETS - 1), minlength=_BUCKETS).astype(np.int64)
        total = int(np.rint(seconds * 1e9).sum(dtype=np.float64))
        return cls(counts=counts, total_ns=total, minimum=low, maximum=high)

    @property
    def count(self) -> int:
        """Return how many values were counted."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float | None:
        """Return the mean in seconds; None where nothing was counted."""
        return self.total_ns / 1e9 / self.count if self.count else None

    def quantile(self, q: float) -> float | None:
        """Return the nearest-rank quantile in seconds within 0.5 %; None where nothing was counted."""
        if not 0 <= q <= 1:
            msg = f"the quantile {q} was asked for; it must lie between 0 and 1"
            raise ValueError(msg)
        if self.minimum is None or self.maximum is None:
            return None
        rank = max(1, math.ceil(q * self.count))
        if rank in {1, self.count}:
            return self.minimum if rank == 1 else self.maximum
        index = int(np.searchsorted(np.cumsum(self.counts), rank))
        if index == _BUCKETS - 1:
            return self.maximum
        middle = LOWEST * 2 * _GAMMA**index / (_GAMMA + 1)
        return min(max(middle, self.minimum), self.maximum)

    def __add__(self, other: Histogram) -> Histogram:
        """Merge; exact, associative and commutative."""
        lows = [h.minimum for h in (self, other) if h.minimum is not None]
        highs = [h.maximum for h in (self, other) if h.maximum is not None]
        return Histogram(
            counts=self.counts + other.counts,
            total_ns=self.total_ns + other.total_ns,
            minimum=min(lows, default=None),
            maximum=max(highs, default=None),
        )

    def __eq__(self, other: object) -> bool:
        """Compare all that was counted."""
        if not isinstance(other, Histogram):
            return NotImplemented
        return (
            (self.total_ns, self.minimum, self.maximum) == (other.total_ns, other.minimum, other.maximum)
        ) and bool(np.array_equal(self.counts, other.counts))

    def __hash__(self) -> int:
        """Hash what equal histograms share."""
        return hash((self.total_ns, self.minimum, self.maximum))

    def to_document(self) -> dict[str, Any]:
        """Return JSON-safe fields; `counts` holds the buckets that are not empty, by index."""
        filled = np.flatnonzero(self.counts)
        return {
            "alpha": ALPHA,
            "lowest": LOWEST,
            "highest": HIGHEST,
            "counts": {str(int(index)): int(self.counts[index]) for index in filled},
            "total_ns": self.total_ns,
            "minimum": self.minimum,
            "maximum": self.maximum,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Histogram:
        """Read what `to_document` wrote; another bucket scheme raises ValueError."""
        scheme = (document["alpha"], document["lowest"], document["highest"])
        if scheme != (ALPHA, LOWEST, HIGHEST):
            msg = f"a histogram has the bucket scheme {scheme}; only {(ALPHA, LOWEST, HIGHEST)} can be merged"
            raise ValueError(msg)
        counts = _no_counts()
        for index, count in document["counts"].items():
            counts[int(index)] = count
        return cls(
            counts=counts,
            total_ns=document["total_ns"],
            minimum=document["minimum"],
            maximum=document["maximum"],
        )
