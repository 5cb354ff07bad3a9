"""PutMetricData: what one datum may hold, and the samples it becomes."""

import math
from collections.abc import Mapping
from typing import Any

from include.localcloud.cloudwatch.metric import Key, dimensions
from include.localcloud.cloudwatch.refusal import invalid_combination, invalid_value, missing
from include.localcloud.cloudwatch.samples import Samples
from include.localcloud.cloudwatch.store import MetricStore

_MOST_DATA = 1000  # metrics in one call
_MOST_VALUES = 150  # distinct values of one metric
_LARGEST = 2.0**360  # CloudWatch rejects values outside -2^360..2^360
_OLDEST, _NEWEST = 14 * 86400.0, 2 * 3600.0  # seconds before and after now


def publish(store: MetricStore, params: Mapping[str, Any], now: float) -> None:
    """Store all data of the call, or raise AwsError for the first one that is not allowed and store none."""
    namespace = params["Namespace"]
    if namespace.startswith("AWS/"):
        raise invalid_value("The value AWS/ for parameter Namespace is invalid.")
    if "EntityMetricData" in params:
        raise invalid_value("The parameter EntityMetricData is not supported by the local cloud.")
    data = params.get("MetricData", [])
    if not data:
        raise missing("The parameter MetricData is required.")
    if len(data) > _MOST_DATA:
        raise invalid_value(f"The collection MetricData must not have a size greater than {_MOST_DATA}.")
    read = [
        (datum, _samples(datum, f"MetricData.member.{at}"), _time(datum, now))
        for at, datum in enumerate(data, 1)
    ]
    # What belongs to one period of one metric is put together: a thousand values one by one are slow to keep and read.
    together: dict[tuple[Key, int, int, str], list[Samples]] = {}
    for datum, samples, at in read:
        metric = Key(namespace, datum["MetricName"], dimensions(datum.get("Dimensions", ())))
        resolution = 1 if datum.get("StorageResolution", 60) < 60 else 60
        start = int(at // resolution) * resolution
        together.setdefault((metric, start, resolution, datum.get("Unit", "None")), []).append(samples)
    for (metric, start, resolution, unit), parts in together.items():
        store.put(metric, timestamp=start, resolution=resolution, unit=unit, samples=Samples.merged(parts))


def _time(datum: Mapping[str, Any], now: float) -> float:
    at: float = datum["Timestamp"].timestamp() if "Timestamp" in datum else now
    if not now - _OLDEST <= at <= now + _NEWEST:
        raise invalid_value(
            "The parameter MetricData.member.Timestamp must specify a time no more than two weeks in the past "
            "and no more than two hours in the future."
        )
    return at


def _samples(datum: Mapping[str, Any], where: str) -> Samples:
    given = [name for name in ("Value", "Values", "StatisticValues") if name in datum]
    if len(given) > 1:
        raise invalid_combination(
            f"The parameters {where}.{given[0]} and {where}.{given[1]} are mutually exclusive."
        )
    if not given:
        raise missing(f"The parameter {where}.Value, Values or StatisticValues is required.")
    if "StatisticValues" in datum:
        return _statistic_set(datum["StatisticValues"], where)
    values = datum.get("Values", [datum.get("Value")])
    counts = datum.get("Counts", [1.0] * len(values))
    if len(values) != len(counts):
        raise invalid_value(f"The parameters {where}.Values and {where}.Counts must be of the same size.")
    if not 1 <= len(values) <= _MOST_VALUES:
        raise invalid_value(f"The collection {where}.Values must have between 1 and {_MOST_VALUES} members.")
    for value in (*values, *counts):
        _check(value, where)
    if min(counts) <= 0:
        raise invalid_value(f"The members of {where}.Counts must be above 0.")
    return Samples.of(values, counts)


def _statistic_set(given: Mapping[str, float], where: str) -> Samples:
    count, total = given["SampleCount"], given["Sum"]
    low, high = given["Minimum"], given["Maximum"]
    for value in (count, total, low, high):
        _check(value, where)
    if count <= 0 or low > high:
        raise invalid_value(
            f"The parameter {where}.StatisticValues is inconsistent: no samples have these statistics."
        )
    return Samples.summary(count=count, total=total, low=low, high=high)


def _check(value: float, where: str) -> None:
    if not math.isfinite(value) or abs(value) > _LARGEST:
        raise invalid_value(f"The value {value} for parameter {where}.Value is invalid.")
