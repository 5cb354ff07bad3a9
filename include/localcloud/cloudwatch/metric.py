"""Metrics, periods and times as requests name them."""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Dimensions = tuple[tuple[str, str], ...]  # sorted by name
# CloudWatch keeps points of under a minute for 3 hours, of a minute for 15 days, of 5 minutes for 63 days and of
# an hour for 455 days (user guide, "Metrics retention"). (age in s, seconds into which older points are merged)
ROLL_UPS = ((3 * 3600, 60), (15 * 86400, 300), (63 * 86400, 3600))
SHORT_PERIODS = (1, 5, 10, 20, 30)  # seconds; longer ones are multiples of a minute


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What tells one metric from another."""

    namespace: str
    name: str
    dimensions: Dimensions


def dimensions(listed: Iterable[Mapping[str, Any]]) -> Dimensions:
    """Return dimensions in the store's order: by name."""
    return tuple(sorted((each["Name"], each["Value"]) for each in listed))


def key(params: Mapping[str, Any]) -> Key:
    """Return the metric that Namespace, MetricName and Dimensions name together, all three binding."""
    return Key(params["Namespace"], params["MetricName"], dimensions(params.get("Dimensions", ())))


def is_period(seconds: int) -> bool:
    """Say whether CloudWatch knows periods of that length: 1, 5, 10, 20, 30 or a multiple of 60 s."""
    return seconds in SHORT_PERIODS or (seconds >= 60 and seconds % 60 == 0)


def is_kept(period: int, age: float) -> bool:
    """Say whether points of this period are there for a request that begins `age` seconds ago.

    CloudWatch answers no points to a request that begins more than 3 hours, 15 days or 63 days ago unless its
    period is a multiple of 1 minute, 5 minutes or 1 hour (API reference, GetMetricData).
    """
    return all(period % step == 0 for oldest, step in ROLL_UPS if age > oldest)


def aligned(start: float, period: int, now: float) -> float:
    """Return a request's start as CloudWatch rounds it (API reference, GetMetricData, StartTime).

    Down to the minute, or to a shorter period's division; to 5 minutes or an hour where older points are merged.
    """
    step = max([min(period, 60), *(merged for age, merged in ROLL_UPS if now - start > age)])
    return start // step * step


def moment(epoch_seconds: float) -> datetime.datetime:
    """Return an aware UTC time."""
    return datetime.datetime.fromtimestamp(epoch_seconds, datetime.UTC)
