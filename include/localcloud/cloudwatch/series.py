"""Values of metric math: time series, numbers, and arrays of series, and how operators join them.

Meaning: CloudWatch user guide, "Using math expressions with CloudWatch metrics".
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

_MOST_POINTS = 100_800  # of one GetMetricData call


class ExpressionError(ValueError):
    """The expression cannot be evaluated; the text says which part and why."""


@dataclass(frozen=True, slots=True)
class Series:
    """A time series: values by period start (epoch seconds), and the period in seconds."""

    points: Mapping[int, float]
    period: int
    label: str = ""  # of the metric it came from

    def mapped(self, change: Callable[[float], float]) -> "Series":
        """Return the series with every value changed; what is not finite then is left out."""
        return self.of({at: change(value) for at, value in self.points.items()})

    def of(self, points: Mapping[int, float]) -> "Series":
        """Return a series of these points, in ascending order, as long as they are finite."""
        return replace(self, points={at: points[at] for at in sorted(points) if math.isfinite(points[at])})


Value = Series | float | list[Series]
Operation = Callable[[float, float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The stretch of time that was asked for, start <= time < end (epoch seconds)."""

    start: float
    end: float

    def times(self, period: int) -> range:
        """Return the starts of all periods in it; raise ExpressionError for more than an answer can hold."""
        step = max(1, period)
        if (self.end - self.start) / step > _MOST_POINTS:
            raise ExpressionError(
                f"it would fill more than {_MOST_POINTS} points; ask for less time or a longer period."
            )
        return range(math.floor(self.start / step) * step, math.ceil(self.end), step)


def single(value: Value, function: str) -> Series:
    """Return the value if it is one time series; raise ExpressionError naming the function."""
    if not isinstance(value, Series):
        raise ExpressionError(f"{function} needs a time series as its first argument.")
    return value


def array(value: Value, function: str) -> list[Series]:
    """Return the value if it is an array of time series; raise ExpressionError naming the function."""
    if not isinstance(value, list):
        raise ExpressionError(f"{function} needs an array of time series as its first argument.")
    return value


def each(value: Value, change: Callable[[Series], Series], function: str) -> Value:
    """Return a changed series, or an array of changed series."""
    if isinstance(value, list):
        return [change(series) for series in value]
    return change(single(value, function))


def combined(operation: Operation, left: Value, right: Value) -> Value:
    """Join two values: at every time that one of two series has, a missing value counts as 0.

    A number joins every point; an array is joined series by series with a number, a series, or an array as long.
    """
    if isinstance(left, list) or isinstance(right, list):
        pairs = _pairs(left, right)
        joined = [combined(operation, one, other) for one, other in pairs]
        return [series for series in joined if isinstance(series, Series)]
    if isinstance(left, float) and isinstance(right, float):
        return operation(left, right)
    times = known_times(left, right)
    model = left if isinstance(left, Series) else right
    assert isinstance(model, Series)
    points = {at: operation(at_or_zero(left, at), at_or_zero(right, at)) for at in times}
    return replace(model, period=shortest(left, right)).of(points)


def _pairs(left: Value, right: Value) -> list[tuple[Series | float, Series | float]]:
    if isinstance(left, list) and isinstance(right, list):
        if len(left) != len(right):
            raise ExpressionError(
                f"arrays of {len(left)} and {len(right)} time series cannot be joined; they must be equally long."
            )
        return list(zip(left, right, strict=True))
    if isinstance(left, list):
        assert not isinstance(right, list)
        return [(series, right) for series in left]
    assert isinstance(right, list)
    return [(left, series) for series in right]


def known_times(*values: Series | float) -> Sequence[int]:
    """Return, ascending, the times at which at least one of the series has a point."""
    return sorted({at for value in values if isinstance(value, Series) for at in value.points})


def shortest(*values: Series | float) -> int:
    """Return the shortest period among the series."""
    return min(value.period for value in values if isinstance(value, Series))


def at_or_zero(value: Series | float, time: int) -> float:
    """Return a number, or a series' value at that time, 0 where it has none."""
    return value.points.get(time, 0.0) if isinstance(value, Series) else value


def aggregated(aggregate: Callable[[list[float]], float], value: Value, *, zeros: bool) -> Value:
    """Return one number over the times of a series, or one series over several, as CloudWatch does.

    With `zeros`, a series of an array that lacks a point counts as 0 at that time; else as nothing.
    """
    if isinstance(value, Series):
        return aggregate(list(value.points.values())) if value.points else math.nan
    if isinstance(value, float):
        raise ExpressionError("an aggregate such as SUM or AVG needs a time series or an array of them.")
    if not value:
        return Series({}, 60)
    points = {}
    for at in known_times(*value):
        there = [series.points[at] for series in value if at in series.points]
        points[at] = aggregate(there + [0.0] * (len(value) - len(there)) if zeros else there)
    return Series({}, shortest(*value)).of(points)
