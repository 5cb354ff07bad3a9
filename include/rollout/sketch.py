"""Distributions that merge exactly: counts in logarithmic buckets of equal relative width, on both sides of zero."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

ACCURACY = 0.005
"""Relative accuracy of every quantile whose value lies between LOWEST and HIGHEST on either side of zero."""

LOWEST = 1e-9  # at or below, a value counts as zero
HIGHEST = 1e9  # above, values share one bucket
LOG_WIDTH = math.log((1 + ACCURACY) / (1 - ACCURACY))
BUCKETS = math.ceil(math.log(HIGHEST / LOWEST) / LOG_WIDTH) + 1  # on each side of zero


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """How many values fell into each bucket; bucket 0 holds zero, negative buckets the negative values.

    The buckets are DDSketch's (Masson, Rim & Lee, "DDSketch", VLDB 2019, section 2) without collapsing: their range is
    fixed, so that merging is addition, in any order, and loses nothing.
    """

    counts: Mapping[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for bucket, count in self.counts.items():
            if abs(bucket) > BUCKETS or count < 0:
                raise ValueError(
                    f"a sketch has {count} values in bucket {bucket}; counts are at least 0, in buckets up to {BUCKETS}"
                )

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """Count every value; one that is not finite raises ValueError."""
        counts: dict[int, int] = {}
        for value in values:
            bucket = bucket_of(value)
            counts[bucket] = counts.get(bucket, 0) + 1
        return cls(counts=counts)

    @property
    def n(self) -> int:
        """Return how many values were counted."""
        return sum(self.counts.values())

    def __add__(self, other: Sketch) -> Sketch:
        """Return the sketch of both."""
        counts = dict(self.counts)
        for bucket, count in other.counts.items():
            counts[bucket] = counts.get(bucket, 0) + count
        return Sketch(counts=counts)

    def quantile(self, share: float) -> float | None:
        """Return the value below which `share` of the values lie, exact to ACCURACY; None of no values."""
        if not self.counts:
            return None
        wanted, seen = share * (self.n - 1), 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen > wanted:
                return value_of(bucket)
        return value_of(max(self.counts))

    def to_document(self) -> dict[str, int]:
        """Return a JSON-safe form that `from_document` reads back."""
        return {str(bucket): self.counts[bucket] for bucket in sorted(self.counts) if self.counts[bucket]}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_document` wrote."""
        return cls(counts={int(bucket): int(count) for bucket, count in document.items()})


def bucket_of(value: float) -> int:
    """Return a value's bucket; one that is not finite raises ValueError."""
    if not math.isfinite(value):
        raise ValueError(f"{value} has no bucket; only finite values are counted")
    size = abs(value)
    if size <= LOWEST:
        return 0
    bucket = min(max(math.ceil(math.log(size / LOWEST) / LOG_WIDTH), 1), BUCKETS)
    return bucket if value > 0 else -bucket


def value_of(bucket: int) -> float:
    """Return the value that stands for a bucket: at most ACCURACY away from any in it."""
    if bucket == 0:
        return 0.0
    upper = LOWEST * math.exp(abs(bucket) * LOG_WIDTH)
    return math.copysign(upper * (1 - ACCURACY), bucket)
