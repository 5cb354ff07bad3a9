"""CloudWatch's operations on metrics, by AWS's names."""

import math
from collections.abc import Mapping
from typing import Any

from include.localcloud.clock import Clock
from include.localcloud.cloudwatch.metric import Dimensions, aligned, is_kept, is_period, key, moment
from include.localcloud.cloudwatch.publishing import publish
from include.localcloud.cloudwatch.query import get_metric_data
from include.localcloud.cloudwatch.refusal import invalid_combination, invalid_value, missing
from include.localcloud.cloudwatch.statistic import Reading, UnknownStatisticError, statistic
from include.localcloud.cloudwatch.store import MetricStore
from include.localcloud.paging import page, position

_MOST_POINTS = 1440  # of one GetMetricStatistics call
_PAGE = 500  # metrics of one ListMetrics call
_LISTED_SECONDS = 14 * 86400.0  # a metric without points for two weeks is not listed any more
_RECENT_SECONDS = 3 * 3600.0


class CloudWatch:
    """Publishes, reads and lists metrics."""

    def __init__(self, store: MetricStore, clock: Clock) -> None:
        self._store, self._clock = store, clock

    async def PutMetricData(self, params: dict[str, Any]) -> dict[str, Any]:
        """Store every datum, visible at once."""
        publish(self._store, params, self._clock.now())
        return {}

    async def GetMetricData(self, params: dict[str, Any]) -> dict[str, Any]:
        """Answer queries and expressions; see `query.get_metric_data`."""
        return get_metric_data(self._store, params)

    async def GetMetricStatistics(self, params: dict[str, Any]) -> dict[str, Any]:
        """Return one datapoint per period and unit that has samples, in no promised order."""
        period = params["Period"]
        start, end = params["StartTime"].timestamp(), params["EndTime"].timestamp()
        if not is_period(period):
            raise invalid_value("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.")
        if start >= end:
            raise invalid_combination("The parameter StartTime must be less than the parameter EndTime.")
        points = math.ceil((end - start) / period)
        if points > _MOST_POINTS:
            raise invalid_combination(
                f"You have requested up to {points} datapoints, which exceeds the limit of {_MOST_POINTS}. You may "
                "reduce the datapoints requested by increasing Period, or decreasing the time range."
            )
        simple, extended = _readings(params)
        metric = key(params)
        datapoints: list[dict[str, Any]] = []
        now = self._clock.now()
        if not is_kept(period, now - start):
            return {"Label": params["MetricName"], "Datapoints": datapoints}
        for unit in [params["Unit"]] if "Unit" in params else sorted(self._store.units(metric)):
            since = aligned(start, period, now)
            found = self._store.read(metric, start=since, end=end, period=period, unit=unit)
            for at, samples in found.items():
                point: dict[str, Any] = {"Timestamp": moment(at), "Unit": unit}
                point |= {name: read(samples) for name, read in simple.items()}
                values = {name: read(samples) for name, read in extended.items()}
                if extended:
                    point["ExtendedStatistics"] = {
                        name: value for name, value in values.items() if value is not None
                    }
                datapoints.append(point)
        return {"Label": params["MetricName"], "Datapoints": datapoints}

    async def ListMetrics(self, params: dict[str, Any]) -> dict[str, Any]:
        """Return each metric once, filtered by namespace, name and dimensions, 500 a page."""
        now = self._clock.now()
        recent = params.get("RecentlyActive") == "PT3H"
        wanted = {each["Name"]: each.get("Value") for each in params.get("Dimensions", ())}
        found = [
            metric
            for metric in self._store.keys(now - (_RECENT_SECONDS if recent else _LISTED_SECONDS))
            if params.get("Namespace") in {None, metric.namespace}
            and params.get("MetricName") in {None, metric.name}
            and _has(metric.dimensions, wanted)
        ]
        try:
            first = position(params.get("NextToken"))
        except ValueError as error:  # the model of ListMetrics knows no InvalidNextToken
            raise invalid_value("The value for parameter NextToken is invalid.") from error
        shown, token = page(found, first, _PAGE)
        metrics = [
            {
                "Namespace": metric.namespace,
                "MetricName": metric.name,
                "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
            }
            for metric in shown
        ]
        return {"Metrics": metrics} | token


def _readings(params: Mapping[str, Any]) -> tuple[dict[str, Reading], dict[str, Reading]]:
    simple = {name: statistic(name) for name in params.get("Statistics", ())}
    try:
        extended = {name: statistic(name) for name in params.get("ExtendedStatistics", ())}
    except UnknownStatisticError as error:
        raise invalid_value(f"The value for parameter ExtendedStatistics is invalid: {error}.") from error
    if not simple and not extended:
        raise missing("The parameter Statistics or ExtendedStatistics is required.")
    return simple, extended


def _has(dimensions: Dimensions, wanted: Mapping[str, str | None]) -> bool:
    own = dict(dimensions)
    return all(name in own and value in {None, own[name]} for name, value in wanted.items())
