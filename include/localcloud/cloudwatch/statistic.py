"""CloudWatch's statistics by name: Average, p99.9, TM(10%:90%), PR(:300) and their kin."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from include.localcloud.cloudwatch.samples import Samples

Reading = Callable[[Samples], float | None]

_SIMPLE: dict[str, Reading] = {
    "SampleCount": lambda samples: samples.count,
    "Sum": lambda samples: samples.total,
    "Average": lambda samples: samples.total / samples.count,
    "Minimum": lambda samples: samples.low,
    "Maximum": lambda samples: samples.high,
}
_PERCENTILE = re.compile(r"p(\d{1,3}(?:\.\d{1,10})?)")
_SHORT = re.compile(r"(tm|wm|tc|ts)(\d{1,3}(?:\.\d{1,10})?)")
_LONG = re.compile(r"(TM|WM|TC|TS|PR)\(\s*([-\d.]*)(%?)\s*:\s*([-\d.]*)(%?)\s*\)")


class UnknownStatisticError(ValueError):
    """The text names no statistic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bounds:
    low: float
    high: float
    percent: bool

    def of(self, samples: Samples) -> Samples | None:
        if self.percent:
            return samples.between_ranks(self.low, self.high)
        return samples.between_values(self.low, self.high)


def fewest_samples(name: str) -> float:
    """Return how many samples make the percentile of that name significant; 0 for any other statistic.

    10 / (1 - p) from the median up and 10 / p below (CloudWatch user guide, "Percentile-based alarms and low data
    samples").
    """
    match = _PERCENTILE.fullmatch(name)
    tail = min(float(match[1]), 100.0 - float(match[1])) / 100.0 if match else 0.0
    return 10.0 / tail if tail > 0 else 0.0


def statistic(name: str) -> Reading:
    """Return what reads this statistic off samples, None where they do not hold it.

    Syntax: CloudWatch user guide, "CloudWatch statistics definitions": a single number follows a lower-case name, a
    range in parentheses an upper-case one. What needs the values themselves is not there for a statistic set,
    nor where a value is negative. Raises UnknownStatisticError.
    """
    if name in _SIMPLE:
        return _SIMPLE[name]
    read = _of_values(name)
    return lambda samples: None if samples.low < 0 else read(samples)


def _of_values(name: str) -> Reading:
    if name == "IQM":
        return lambda samples: _mean(samples.between_ranks(25.0, 75.0))
    if match := _PERCENTILE.fullmatch(name):
        percent = float(match[1])
        if percent <= 100.0:
            return lambda samples: samples.percentile(percent)
    elif match := _SHORT.fullmatch(name):
        if float(match[2]) <= 100.0:
            return _trimmed(match[1].upper(), _Bounds(low=0.0, high=float(match[2]), percent=True))
    elif match := _LONG.fullmatch(name):
        bounds = _bounds(match)
        if bounds is not None:
            return _trimmed(match[1].upper(), bounds)
    raise UnknownStatisticError(
        f"{name} is no statistic; allowed are {', '.join(_SIMPLE)}, IQM, pNN.NN, tmNN, wmNN, tcNN, tsNN, TM, WM, TC and TS with (a%:b%) or (a:b), and PR(a:b)"
    )


def _bounds(match: re.Match[str]) -> _Bounds | None:
    _, low, low_unit, high, high_unit = match.groups()
    percent = bool(low_unit or high_unit)
    if (not low and not high) or (percent and match[1].upper() == "PR"):
        return None
    if percent and ((low and not low_unit) or (high and not high_unit)):
        return None
    try:
        bounds = _Bounds(
            low=float(low) if low else (0.0 if percent else -math.inf),
            high=float(high) if high else (100.0 if percent else math.inf),
            percent=percent,
        )
    except ValueError:
        return None
    outside = percent and not 0.0 <= bounds.low <= bounds.high <= 100.0
    return None if outside or bounds.low > bounds.high else bounds


def _trimmed(kind: str, bounds: _Bounds) -> Reading:
    def read(samples: Samples) -> float | None:
        kept = bounds.of(samples)
        if kept is None:
            return None
        match kind:
            case "TC":
                return kept.count
            case "TS":
                return kept.total
            case "PR":
                return 100.0 * kept.count / samples.count
            case "WM":
                return _winsorized(samples, kept)
            case _:
                return _mean(kept)

    return read


def _mean(samples: Samples | None) -> float | None:
    return None if samples is None or samples.count == 0 else samples.total / samples.count


def _winsorized(samples: Samples, kept: Samples) -> float | None:
    """Return the mean with everything outside moved to the nearest value inside."""
    if kept.count == 0:
        return None
    clipped = samples.values.clip(kept.low, kept.high)
    return float(clipped @ samples.counts) / samples.count
