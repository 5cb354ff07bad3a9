"""CloudWatch's metrics of both variants, read in whole periods into evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from include.aws.clients import Clients
from include.aws.faults import calling
from include.rollout.errors import CloudError
from include.rollout.evidence import Evidence, Period, Threshold

NAMESPACE = "AWS/SageMaker"
INSTANCES = "/aws/sagemaker/Endpoints"  # of what instances use
ERRORS = ("InvocationModelErrors", "Invocation4XXErrors", "Invocation5XXErrors")
QUANTILES = ("p50", "p90", "p99")
OVERHEADS = ("p50",)
_QUERIES_PER_CALL = 500
_DATAPOINTS_PER_CALL = 100_800
_SHORT_PERIODS = (1, 5, 10, 20, 30)  # seconds; beyond, periods are multiples of 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Variants:
    """Whose metrics are read: the endpoint and the names of its two variants."""

    endpoint: str
    production: str
    shadow: str


def read_evidence(
    clients: Clients,
    variants: Variants,
    *,
    begin: datetime,
    end: datetime,
    period: int,
    sampling: float,
    thresholds: Sequence[Threshold] = (),
    quantiles: Sequence[str] = QUANTILES,
    overheads: Sequence[str] = OVERHEADS,
    utilization: Sequence[str] = (),
    whole: bool = False,
) -> Evidence:
    """Return what CloudWatch holds of both variants in [begin, end), the same periods for both.

    Counts are Sums, latencies the `quantiles` in microseconds per period, overheads likewise; of each `utilization` the
    highest and the average of all instances are read, in CloudWatch's per cent of one core or GPU. With `whole` the percentiles of all requests of
    the window are read too, as one period, where CloudWatch can give the window so. Periods without any datapoint are
    absent. Raises CloudError.
    """
    queries: list[dict[str, Any]] = []
    meaning: dict[str, tuple[str, str, str]] = {}  # query id -> (variant, field, name)

    def ask(role: str, field: str, name: str, metric: str, stat: str, seconds: int) -> None:
        identity = f"q{len(queries)}"
        meaning[identity] = (role, field, name)
        queries.append(_query(identity, variants, role, metric, stat, seconds))

    seconds = int((end - begin).total_seconds())
    if seconds <= 0:
        return _evidence({}, begin, end, period, sampling, {}, thresholds)
    for role in ("production", "shadow"):
        ask(role, "invocations", "", "Invocations", "Sum", period)
        for metric in ERRORS:
            ask(role, "errors", metric, metric, "Sum", period)
        for quantile in quantiles:
            ask(role, "latency", quantile, "ModelLatency", quantile, period)
        for threshold in thresholds:
            limit = threshold.production_us if role == "production" else threshold.shadow_us
            ask(role, "slower", threshold.label, "ModelLatency", f"TC({limit:.3f}:)", period)
        for quantile in overheads:
            ask(role, "overhead", quantile, "OverheadLatency", quantile, period)
        for metric in utilization:
            for stat in ("Maximum", "Average"):
                ask(role, "utilization", f"{metric}.{stat.lower()}", metric, stat, period)
    rows: dict[str, dict[datetime, dict[str, Any]]] = {"production": {}, "shadow": {}}
    for identity, moment, value in _data(clients, queries, begin, end, period):
        role, field, name = meaning[identity]
        row = rows[role].setdefault(moment, {})
        if field == "invocations":
            row["invocations"] = value
        else:
            row.setdefault(field, {})[name] = value
    percentiles = _whole(clients, variants, begin, end, rows, quantiles) if whole else {}
    return _evidence(rows, begin, end, period, sampling, percentiles, thresholds)


def invocations(
    clients: Clients, variants: Variants, *, begin: datetime, end: datetime, period: int
) -> dict[str, float]:
    """Return the number of requests that each variant answered in [begin, end), as CloudWatch knows it by now."""
    queries = [
        _query(role, variants, role, "Invocations", "Sum", period) for role in ("production", "shadow")
    ]
    counts = {"production": 0.0, "shadow": 0.0}
    for identity, _, value in _data(clients, queries, begin, end, period):
        counts[identity] += value
    return counts


def _query(
    identity: str, variants: Variants, role: str, metric: str, stat: str, period: int
) -> dict[str, Any]:
    variant = variants.production if role == "production" else variants.shadow
    return {
        "Id": identity,
        "MetricStat": {
            "Metric": {
                "Namespace": INSTANCES if metric.endswith("Utilization") else NAMESPACE,
                "MetricName": metric,
                "Dimensions": [
                    {"Name": "EndpointName", "Value": variants.endpoint},
                    {"Name": "VariantName", "Value": variant},
                ],
            },
            "Period": period,
            "Stat": stat,
        },
    }


def _data(
    clients: Clients, queries: list[dict[str, Any]], begin: datetime, end: datetime, period: int
) -> Iterator[tuple[str, datetime, float]]:
    """Yield (query id, period start, value) within CloudWatch's limits of queries and datapoints per call.

    Raises CloudError unless each query was answered whole: GetMetricData answers 200 also where it could not read a
    metric, says so in the result's StatusCode alone, and an error metric without values would count as no errors.
    """
    span = max(1, _DATAPOINTS_PER_CALL // max(1, min(len(queries), _QUERIES_PER_CALL)))
    step = timedelta(seconds=period * span)
    for first in range(0, len(queries), _QUERIES_PER_CALL):
        part = queries[first : first + _QUERIES_PER_CALL]
        start = begin
        while start < end:
            stop = min(start + step, end)
            told = {str(query["Id"]): "missing" for query in part}
            with calling(f"Reading {len(part)} metrics from CloudWatch"):
                pages = clients.cloudwatch.get_paginator("get_metric_data").paginate(
                    MetricDataQueries=part, StartTime=start, EndTime=stop, ScanBy="TimestampAscending"
                )
                for page in pages:
                    for result in page["MetricDataResults"]:
                        told[result["Id"]] = result.get("StatusCode", "Complete")
                        for moment, value in zip(result["Timestamps"], result["Values"], strict=True):
                            yield result["Id"], moment, float(value)
            _refuse_unread(part, told)
            start = stop


def _refuse_unread(queries: Sequence[Mapping[str, Any]], told: Mapping[str, str]) -> None:
    """Raise CloudError for a query whose last page says that its values are not all there."""
    for query in queries:
        status = told[query["Id"]]
        if status == "Complete":
            continue
        name = query["MetricStat"]["Metric"]["MetricName"]
        raise CloudError(
            f"CloudWatch gave no whole answer about {name} ({status}); "
            + (
                "allow the connection's role cloudwatch:GetMetricData."
                if status == "Forbidden"
                else "what it left out is not known, so it is asked again."
            ),
            status,
            transient=status != "Forbidden",
        )


def _whole(
    clients: Clients,
    variants: Variants,
    begin: datetime,
    end: datetime,
    rows: Mapping[str, Mapping[datetime, Mapping[str, Any]]],
    quantiles: Sequence[str],
) -> dict[str, dict[str, float]]:
    """Return the percentiles over all requests of the window; empty for a variant whose sample is not the window's.

    A window is one period only if CloudWatch can give it as such: it takes 1, 5, 10, 20, 30 and multiples of 60 seconds
    and rounds the start of the latter down to a minute. So the value counts only if it covers exactly the window.
    """
    length = int((end - begin).total_seconds())
    seconds = length if length in _SHORT_PERIODS else -(-length // 60) * 60
    whole: dict[str, dict[str, float]] = {}
    queries = []
    for role in ("production", "shadow"):
        queries.append(_query(f"{role}_n", variants, role, "ModelLatency", "SampleCount", seconds))
        queries += [_query(f"{role}_{q}", variants, role, "ModelLatency", q, seconds) for q in quantiles]
    points: dict[str, list[float]] = {}
    for identity, _, value in _data(clients, queries, begin, end, seconds):
        points.setdefault(identity, []).append(value)
    for role in ("production", "shadow"):
        expected = sum(row.get("invocations") or 0.0 for row in rows[role].values())
        if len(points.get(f"{role}_n", [])) == 1 and points[f"{role}_n"][0] == expected:
            whole[role] = {q: points[f"{role}_{q}"][0] for q in quantiles if points.get(f"{role}_{q}")}
    return whole


def _evidence(
    rows: Mapping[str, Mapping[datetime, Mapping[str, Any]]],
    begin: datetime,
    end: datetime,
    period: int,
    sampling: float,
    whole: Mapping[str, Mapping[str, float]],
    thresholds: Sequence[Threshold],
) -> Evidence:
    def periods(role: str) -> tuple[Period, ...]:
        return tuple(Period(start=moment, **row) for moment, row in sorted(rows.get(role, {}).items()))

    return Evidence(
        begin=begin,
        end=end,
        period=period,
        sampling=sampling,
        production=periods("production"),
        shadow=periods("shadow"),
        whole=whole,
        thresholds=tuple(thresholds),
    )
