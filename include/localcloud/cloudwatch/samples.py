"""The values of one metric in one stretch of time, exact: every statistic can be had from them later."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A statistic set that a client sent in place of values: no percentile can come from it."""

    count: float
    total: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Distinct values in ascending order with how often each occurred, and summaries beside them."""

    values: Floats
    counts: Floats
    summaries: tuple[Summary, ...] = ()

    @classmethod
    def of(cls, values: Sequence[float], counts: Sequence[float] | None = None) -> "Samples":
        """Return the samples of unordered values; equal values are counted together."""
        if len(values) == 1:  # most data that clients put are one value
            return cls(
                np.array([values[0]], dtype=np.float64),
                np.array([1.0 if counts is None else counts[0]], dtype=np.float64),
            )
        if counts is None:
            distinct, times = np.unique(np.asarray(values, dtype=np.float64), return_counts=True)
            return cls(distinct, times.astype(np.float64))
        distinct, where = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True)
        return cls(distinct, _weights(where, counts, len(distinct)))

    @classmethod
    def summary(cls, *, count: float, total: float, low: float, high: float) -> "Samples":
        """Return a statistic set; one of a single distinct value is as good as its values."""
        if low == high or count == 1:
            return cls.of([total / count], [count])
        nothing = np.empty(0)
        return cls(nothing, nothing, (Summary(count=count, total=total, low=low, high=high),))

    @classmethod
    def merged(cls, parts: Iterable["Samples"]) -> "Samples":
        """Return all parts as one; the order of the parts does not matter."""
        parts = list(parts)
        if len(parts) == 1:
            return parts[0]
        distinct, where = np.unique(np.concatenate([part.values for part in parts]), return_inverse=True)
        weights = np.concatenate([part.counts for part in parts])
        summaries = tuple(summary for part in parts for summary in part.summaries)
        return cls(distinct, _weights(where, weights, len(distinct)), summaries)

    def bucketed(self, ratio: float) -> "Samples":
        """Return the samples with the values of each bucket, `ratio` wide, replaced by their mean.

        Sum and SampleCount stay; Minimum, Maximum and percentiles move within their buckets.
        """
        if len(self.values) < 2:
            return self
        magnitude = np.abs(self.values)
        steps = np.round(np.log(np.where(magnitude > 0, magnitude, 1.0)) / math.log(ratio))
        buckets = np.stack((np.sign(self.values), np.where(magnitude > 0, steps, 0.0)), axis=1)
        _, where = np.unique(buckets, axis=0, return_inverse=True)
        where = where.reshape(-1)
        counts = np.bincount(where, weights=self.counts).astype(np.float64)
        means = np.bincount(where, weights=self.counts * self.values) / counts
        order = np.argsort(means)
        return Samples(means[order], counts[order], self.summaries)

    @property
    def count(self) -> float:
        """SampleCount."""
        return float(self.counts.sum()) + sum(summary.count for summary in self.summaries)

    @property
    def total(self) -> float:
        """Sum."""
        return math.fsum((float(self.values @ self.counts), *(summary.total for summary in self.summaries)))

    @property
    def low(self) -> float:
        """Minimum."""
        lowest: list[float] = self.values[:1].tolist()
        return min(lowest + [summary.low for summary in self.summaries])

    @property
    def high(self) -> float:
        """Maximum."""
        highest: list[float] = self.values[-1:].tolist()
        return max(highest + [summary.high for summary in self.summaries])

    def percentile(self, percent: float) -> float | None:
        """Return the percentile with linear interpolation between the two nearest samples, None for summaries.

        The same number as numpy's default method gives on the expanded samples; which interpolation
        CloudWatch uses is not documented.
        """
        if self.summaries or not len(self.values):
            return None
        ends = np.cumsum(self.counts)
        position = percent / 100.0 * (ends[-1] - 1.0)
        below = math.floor(position)
        last = len(self.values) - 1
        lower = self.values[min(last, int(np.searchsorted(ends, below, side="right")))]
        upper = self.values[min(last, int(np.searchsorted(ends, below + 1, side="right")))]
        return float(lower + (upper - lower) * (position - below))

    def between_ranks(self, low_percent: float, high_percent: float) -> "Samples | None":
        """Return the samples between two percentiles, the outermost ones in part; None for summaries."""
        if self.summaries:
            return None
        ends = np.cumsum(self.counts)
        total = ends[-1]
        low, high = total * low_percent / 100.0, total * high_percent / 100.0
        kept = np.clip(np.minimum(ends, high) - np.maximum(ends - self.counts, low), 0.0, None)
        return Samples(self.values[kept > 0], kept[kept > 0])

    def between_values(self, low: float, high: float) -> "Samples | None":
        """Return the samples with low < value <= high; None for summaries."""
        if self.summaries:
            return None
        kept = (self.values > low) & (self.values <= high)
        return Samples(self.values[kept], self.counts[kept])


def _weights(where: npt.NDArray[np.intp], counts: Sequence[float] | Floats, distinct: int) -> Floats:
    return np.bincount(where, weights=np.asarray(counts), minlength=distinct).astype(np.float64)
