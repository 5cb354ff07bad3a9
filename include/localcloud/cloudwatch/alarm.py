"""A metric alarm as values: what PutMetricAlarm may ask, and which state follows from its metric's datapoints.

States and the treatment of missing data: CloudWatch user guide, "Alarm evaluation" and "Configuring how CloudWatch
alarms treat missing data".
"""

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.localcloud.cloudwatch.metric import key
from include.localcloud.cloudwatch.query import get_metric_data
from include.localcloud.cloudwatch.refusal import invalid, invalid_combination, invalid_value, missing
from include.localcloud.cloudwatch.statistic import UnknownStatisticError, fewest_samples, statistic
from include.localcloud.cloudwatch.store import MetricStore
from include.localcloud.state import Record

OK, ALARM, INSUFFICIENT = "OK", "ALARM", "INSUFFICIENT_DATA"
_MORE_PERIODS = 2  # looked at beyond the evaluation periods, when some of those are missing
_DAY = 86_400
_TREATMENTS = ("breaching", "notBreaching", "ignore", "missing")
_LOW_SAMPLES = ("evaluate", "ignore")  # what a percentile of few samples is worth
_ABOVE: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}
_PHRASES = {
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "GreaterThanThreshold": "greater than",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}
_UNSUPPORTED = (
    "ThresholdMetricId",
    "EvaluationWindow",
    "WarmUpConfiguration",
    "EvaluationCriteria",
    "EvaluationInterval",
    "ActionConfiguration",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The state that one evaluation gives, None for the state that was; and why, in CloudWatch's words."""

    state: str | None
    reason: str
    data: str  # StateReasonData, a JSON document


def check(params: Mapping[str, Any]) -> None:
    """Raise AwsError for an alarm that cannot be, or that the local cloud cannot evaluate."""
    for field in _UNSUPPORTED:
        if field in params:
            raise invalid(f"The local cloud does not support alarms with {field}.")
    for field in ("EvaluationPeriods", "ComparisonOperator", "Threshold"):
        if field not in params:
            raise missing(f"The parameter {field} is required.")
    if params["ComparisonOperator"] not in _ABOVE:
        raise invalid(
            f"The local cloud does not support {params['ComparisonOperator']}: it has no anomaly detection; use one "
            f"of {', '.join(_ABOVE)}."
        )
    if ("Metrics" in params) == ("MetricName" in params):
        raise invalid("An alarm has either MetricName, with Namespace and a statistic, or Metrics; give one.")
    if "Metrics" in params:
        _check_queries(params)
    else:
        _check_metric(params)
    periods, seconds = params["EvaluationPeriods"], period(params)
    if periods * seconds > (_DAY if seconds < 3600 else 7 * _DAY):
        raise invalid(
            "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400), or a "
            "week for periods of an hour and more."
        )
    wanted = params.get("DatapointsToAlarm", periods)
    if wanted > periods:
        raise invalid(
            f"DatapointsToAlarm is {wanted}; it must not be more than EvaluationPeriods, which is {periods}."
        )
    treatment = params.get("TreatMissingData", "missing")
    if treatment not in _TREATMENTS:
        raise invalid_value(f"TreatMissingData is {treatment}; it must be one of {', '.join(_TREATMENTS)}.")
    low = params.get("EvaluateLowSampleCountPercentile", "evaluate")
    if low not in _LOW_SAMPLES:
        allowed = " or ".join(_LOW_SAMPLES)
        raise invalid_value(f"EvaluateLowSampleCountPercentile is {low}; it must be {allowed}.")


def _check_metric(params: Mapping[str, Any]) -> None:
    for field in ("Namespace", "Period"):
        if field not in params:
            raise missing(f"The parameter {field} is required.")
    if ("Statistic" in params) == ("ExtendedStatistic" in params):
        raise invalid_combination("An alarm has either Statistic or ExtendedStatistic; give one.")
    try:
        statistic(params.get("ExtendedStatistic", "Average"))
    except UnknownStatisticError as error:
        raise invalid_value(f"The value for parameter ExtendedStatistic is invalid: {error}.") from error
    _check_period(params["Period"])


def _check_queries(params: Mapping[str, Any]) -> None:
    for field in ("Namespace", "Statistic", "ExtendedStatistic", "Period", "Dimensions", "Unit"):
        if field in params:
            raise invalid_combination(f"{field} belongs to an alarm with MetricName; Metrics holds its own.")
    returned = [query for query in params["Metrics"] if query.get("ReturnData", True)]
    if len(returned) != 1:
        raise invalid(
            f"{len(returned)} of the alarm's Metrics return data; exactly one must have ReturnData true."
        )
    _check_period(period(params))


def _check_period(seconds: int) -> None:
    if seconds not in {10, 20, 30} and seconds % 60:
        raise invalid_value(f"Period is {seconds}; it must be 10, 20, 30 or a multiple of 60 seconds.")


def period(alarm: Mapping[str, Any]) -> int:
    """Return the seconds of one period; with Metrics the longest of theirs."""
    if "Metrics" not in alarm:
        seconds: int = alarm["Period"]
        return seconds
    periods = [query.get("MetricStat", query).get("Period", 0) for query in alarm["Metrics"]]
    return max(periods) or 60


def judged(store: MetricStore, alarm: Record, end: int) -> Judgement:
    """Return what the whole periods up to `end` (epoch seconds) say about the alarm.

    Raises AwsError for Metrics that cannot be evaluated or give no single time series.
    """
    count: int = alarm["EvaluationPeriods"]
    step = period(alarm)
    starts = range(end - (count + _MORE_PERIODS) * step, end, step)
    points = _points(store, alarm, starts[0], end)
    present = [(start, points[start]) for start in starts if start in points]
    breaches = _ABOVE[alarm["ComparisonOperator"]]
    state = evaluated(
        [breaches(points[start], alarm["Threshold"]) if start in points else None for start in starts],
        periods=count,
        to_alarm=int(alarm.get("DatapointsToAlarm", count)),
        treatment=alarm.get("TreatMissingData", "missing"),
    )
    if _too_few(store, alarm, end):
        state = None
    recent = present[-count:]
    data = json.dumps(
        {
            "version": "1.0",
            "queryDate": _utc(end),
            "statistic": alarm.get("Statistic") or alarm.get("ExtendedStatistic"),
            "period": step,
            "recentDatapoints": [value for _, value in recent],
            "threshold": alarm["Threshold"],
        }
    )
    return Judgement(state=state, reason=_reason(alarm, recent, state), data=data)


def last_value(store: MetricStore, alarm: Record, end: int) -> float | None:
    """Return the newest datapoint in the evaluation periods up to `end` (epoch seconds), None without any."""
    points = _points(store, alarm, end - alarm["EvaluationPeriods"] * period(alarm), end)
    return points[max(points)] if points else None


def evaluated(breaching: Sequence[bool | None], *, periods: int, to_alarm: int, treatment: str) -> str | None:
    """Return the state that follows from the datapoints, or None if the state stays.

    `breaching` holds the periods looked at, the oldest first, None where there is no datapoint; `to_alarm` of the
    last `periods` must breach. With fewer datapoints than periods, missing ones count as `treatment` says; and an
    alarm whose datapoints all breach goes off as soon as the oldest of them is as old as `to_alarm` periods.
    """
    present = [breach for breach in breaching if breach is not None]
    if len(present) >= periods:
        return ALARM if sum(present[-periods:]) >= to_alarm else OK
    breaches, absent = sum(present), periods - len(present)
    if treatment == "breaching":
        return ALARM if breaches + absent >= to_alarm else OK
    if breaches >= to_alarm:
        return ALARM
    if treatment == "notBreaching" or breaches < len(present):
        return OK
    if treatment == "ignore":
        return None
    if not present:
        return INSUFFICIENT
    oldest = next(at for at, breach in enumerate(breaching) if breach is not None)
    return ALARM if len(breaching) - oldest >= to_alarm else None


def _points(store: MetricStore, alarm: Record, start: int, end: int) -> dict[int, float]:
    if "Metrics" in alarm:
        span = {"StartTime": _moment(start), "EndTime": _moment(end)}
        listed = get_metric_data(store, {"MetricDataQueries": alarm["Metrics"], **span})["MetricDataResults"]
        if len(listed) != 1:
            raise invalid(f"The alarm's Metrics give {len(listed)} time series; an alarm needs exactly one.")
        (found,) = listed
        return {
            int(at.timestamp()): value for at, value in zip(found["Timestamps"], found["Values"], strict=True)
        }
    read = statistic(alarm.get("Statistic") or alarm["ExtendedStatistic"])
    found = store.read(key(alarm), start=start, end=end, period=alarm["Period"], unit=alarm.get("Unit", ""))
    points = {at: read(samples) for at, samples in found.items()}
    return {at: value for at, value in points.items() if value is not None}


def _too_few(store: MetricStore, alarm: Record, end: int) -> bool:
    """Tell whether the alarm leaves its state alone because its percentile is of too few samples."""
    if alarm.get("EvaluateLowSampleCountPercentile") != "ignore" or "ExtendedStatistic" not in alarm:
        return False
    start = end - alarm["EvaluationPeriods"] * period(alarm)
    found = store.read(key(alarm), start=start, end=end, period=period(alarm), unit=alarm.get("Unit", ""))
    return sum(samples.count for samples in found.values()) < fewest_samples(alarm["ExtendedStatistic"])


def _reason(alarm: Record, recent: Sequence[tuple[int, float]], state: str | None) -> str:
    if not recent:
        return f"Threshold Crossed: no datapoints were received for {alarm['EvaluationPeriods']} periods."
    breaches = _ABOVE[alarm["ComparisonOperator"]]
    hits = [(at, value) for at, value in recent if breaches(value, alarm["Threshold"])]
    shown = hits if state == ALARM else [(at, value) for at, value in recent if (at, value) not in hits]
    listed = ", ".join(f"{value} ({_utc(at)})" for at, value in reversed(shown[-5:]))
    was = "was" if len(shown) == 1 else "were"
    negated = "" if state == ALARM else "not "
    return (
        f"Threshold Crossed: {len(shown)} out of the last {len(recent)} datapoints [{listed}] {was} {negated}"
        f"{_PHRASES[alarm['ComparisonOperator']]} the threshold ({alarm['Threshold']})."
    )


def _moment(epoch_seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(epoch_seconds, datetime.UTC)


def _utc(epoch_seconds: float) -> str:
    return _moment(epoch_seconds).isoformat(timespec="seconds")
