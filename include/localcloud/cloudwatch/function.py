"""The functions of metric math that take values and nothing else.

Source: CloudWatch user guide, "Functions supported for metric math".
"""

import bisect
import datetime
import math
from collections.abc import Callable
from functools import partial
from itertools import accumulate, pairwise

from include.localcloud.cloudwatch.series import (
    ExpressionError,
    Series,
    Span,
    Value,
    aggregated,
    array,
    at_or_zero,
    each,
    known_times,
    shortest,
    single,
)

Aggregate = Callable[[list[float]], float]


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def _deviation(values: list[float]) -> float:
    """Return the population's standard deviation; which of the two CloudWatch takes is not documented."""
    mean = _mean(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))


def _log(base: Callable[[float], float], value: float) -> float:
    return base(value) if value > 0 else math.nan


# name -> (what it does with values, whether a missing value of an array counts as 0)
AGGREGATES: dict[str, tuple[Aggregate, bool]] = {
    "AVG": (_mean, True),
    "DATAPOINT_COUNT": (lambda values: float(len(values)), False),
    "MAX": (max, False),
    "MIN": (min, False),
    "STDDEV": (_deviation, False),
    "SUM": (math.fsum, False),
}
_POINTWISE: dict[str, Callable[[float], float]] = {
    "ABS": abs,
    "CEIL": lambda value: float(math.ceil(value)),
    "FLOOR": lambda value: float(math.floor(value)),
    "LOG": partial(_log, math.log),
    "LOG10": partial(_log, math.log10),
}


def _steps(step: Callable[[int, float, int, float], float], series: Series) -> Series:
    """Return, at each time but the first, what `step` makes of it and its predecessor."""
    return series.of(
        {at: step(before, was, at, value) for (before, was), (at, value) in pairwise(series.points.items())}
    )


_RUNNING: dict[str, Callable[[Series], Series]] = {
    "DIFF": partial(_steps, lambda _before, was, _at, value: value - was),
    "DIFF_TIME": partial(_steps, lambda before, _was, at, _value: float(at - before)),
    "RATE": partial(_steps, lambda before, was, at, value: (value - was) / (at - before)),
    "RUNNING_SUM": lambda series: series.of(
        dict(zip(series.points, accumulate(series.points.values()), strict=True))
    ),
}
_CALENDAR: dict[str, Callable[[datetime.datetime], float]] = {
    "MINUTE": lambda moment: moment.minute,
    "HOUR": lambda moment: moment.hour,
    "DAY": lambda moment: moment.isoweekday(),  # 1 is Monday
    "DATE": lambda moment: moment.day,
    "MONTH": lambda moment: moment.month,
    "YEAR": lambda moment: moment.year,
    "EPOCH": lambda moment: moment.timestamp(),
}

OF_ONE = frozenset(
    {
        *AGGREGATES,
        *_POINTWISE,
        *_RUNNING,
        *_CALENDAR,
        "FIRST",
        "LAST",
        "METRIC_COUNT",
        "PERIOD",
        "REMOVE_EMPTY",
        "TIME_SERIES",
    }
)


def of_one(function: str, value: Value, span: Span, period: int) -> Value:
    """Return what a function of one argument gives; `period` is that of a series made from a number."""
    if function in AGGREGATES:
        aggregate, zeros = AGGREGATES[function]
        return aggregated(aggregate, value, zeros=zeros)
    if function in _POINTWISE:
        return each(value, lambda series: series.mapped(_POINTWISE[function]), function)
    if function in _RUNNING:
        return each(value, _RUNNING[function], function)
    if function in _CALENDAR:
        series = single(value, function)
        read = _CALENDAR[function]
        moments = {at: datetime.datetime.fromtimestamp(at, datetime.UTC) for at in span.times(series.period)}
        return series.of({at: float(read(moment)) for at, moment in moments.items()})
    match function:
        case "FIRST" | "LAST":
            listed = array(value, function)
            return listed[0 if function == "FIRST" else -1] if listed else Series({}, period)
        case "METRIC_COUNT":
            return float(len(array(value, function)))
        case "PERIOD":
            return float(single(value, function).period)
        case "REMOVE_EMPTY":
            return [series for series in array(value, function) if series.points]
    if not isinstance(value, float):
        raise ExpressionError("TIME_SERIES needs a number.")
    return Series({}, period).of(dict.fromkeys(span.times(period), value))


def chosen(condition: Value, yes: Value, no: Value | None) -> Series:
    """Return, at each time of the condition, `yes` where it is not 0 and `no`, if there is one, where it is.

    A missing value of `yes` counts as 0, one of `no` is dropped.
    """
    if isinstance(condition, list) or isinstance(yes, list) or isinstance(no, list):
        raise ExpressionError("IF needs time series or numbers, no arrays.")
    there = [value for value in (condition, yes, no) if isinstance(value, Series)]
    if not there:
        raise ExpressionError("IF needs a time series among its arguments.")
    model = Series({}, shortest(*there))
    if isinstance(condition, float):
        taken = yes if condition else no
        if taken is None:
            return model
        if isinstance(taken, Series):
            return taken
        return model.of(dict.fromkeys(known_times(*there), taken))
    points = {}
    for at, truth in condition.points.items():
        if truth:
            points[at] = at_or_zero(yes, at)
        elif isinstance(no, float):
            points[at] = no
        elif no is not None and at in no.points:
            points[at] = no.points[at]
    return model.of(points)


def filled(series: Series, filler: float | Series | str, span: Span) -> Series:
    """Return the series with a value at every time asked for: a number, another series', REPEAT or LINEAR.

    REPEAT takes the last value before, LINEAR the straight line between the neighbours; where there is no such
    neighbour nothing is filled, nor is a series without any point.
    """
    if not series.points:
        return series
    points = dict(series.points)
    missing = [at for at in span.times(series.period) if at not in points]
    if isinstance(filler, float):
        points.update(dict.fromkeys(missing, filler))
    elif isinstance(filler, Series):
        points.update({at: filler.points[at] for at in missing if at in filler.points})
    else:
        known = sorted(series.points)
        for at in missing:
            next_one = bisect.bisect(known, at)
            if next_one == 0 or (filler == "LINEAR" and next_one == len(known)):
                continue
            before = known[next_one - 1]
            points[at] = low = series.points[before]
            if filler == "LINEAR":
                after = known[next_one]
                points[at] += (series.points[after] - low) * (at - before) / (after - before)
    return series.of(points)


def ordered(listed: list[Series], by: str, descending: bool, most: int | None) -> list[Series]:
    """Return the series by one of their aggregates, at most so many; those without points come last."""
    aggregate = AGGREGATES[by][0]
    full = [series for series in listed if series.points]
    full.sort(key=lambda series: aggregate(list(series.points.values())), reverse=descending)
    return [*full, *(series for series in listed if not series.points)][:most]
