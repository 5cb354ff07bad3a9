"""GetMetricData: queries that read metrics, expressions over them, order, paging."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.localcloud.cloudwatch.expression import ExpressionError, Series, Span, evaluate
from include.localcloud.cloudwatch.metric import aligned, is_kept, is_period, key, moment
from include.localcloud.cloudwatch.refusal import invalid, position_of
from include.localcloud.cloudwatch.statistic import UnknownStatisticError, statistic
from include.localcloud.cloudwatch.store import MetricStore
from include.localcloud.paging import token

_MOST_QUERIES = 500
_MOST_POINTS = 100_800
_ID = re.compile(r"[a-z][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    start: float
    end: float
    descending: bool
    size: int  # points
    skipped: int  # points of earlier pages


def get_metric_data(store: MetricStore, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return GetMetricData's answer; raise AwsError for whatever it cannot answer, never an empty result for it.

    Timestamps are period starts, the newest first unless ScanBy says otherwise.
    """
    queries = params["MetricDataQueries"]
    page = _page(params)
    if len(queries) > _MOST_QUERIES:
        raise invalid(f"{len(queries)} queries were given; at most {_MOST_QUERIES} are allowed.")
    by_id: dict[str, Mapping[str, Any]] = {}
    for query in queries:
        _check(query, by_id)
        by_id[query["Id"]] = query
    results = _Results(store, by_id, page)
    wanted = [query for query in queries if query.get("ReturnData", True)]
    if not wanted:
        raise invalid("At least one query must have ReturnData true.")
    return _rendered([line for query in wanted for line in _lines(query, results.of(query["Id"]))], page)


def _page(params: Mapping[str, Any]) -> _Page:
    start, end = params["StartTime"].timestamp(), params["EndTime"].timestamp()
    if start >= end:
        raise invalid("The parameter StartTime must be less than the parameter EndTime.")
    size = params.get("MaxDatapoints", _MOST_POINTS)
    if not 1 <= size <= _MOST_POINTS:
        raise invalid(f"MaxDatapoints is {size}; it must be between 1 and {_MOST_POINTS}.")
    skipped = position_of(params.get("NextToken"))
    descending = params.get("ScanBy", "TimestampDescending") == "TimestampDescending"
    return _Page(start=start, end=end, descending=descending, size=size, skipped=skipped)


def _check(query: Mapping[str, Any], earlier: Mapping[str, Any]) -> None:
    name = query["Id"]
    if not _ID.fullmatch(name):
        raise invalid(
            f"The value {name} for parameter Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$."
        )
    if name in earlier:
        raise invalid(f"The Id {name} is used by two queries; ids must be unique.")
    if ("MetricStat" in query) == ("Expression" in query):
        raise invalid(f"Query {name} must have either MetricStat or Expression, and not both.")
    if "AccountId" in query:
        raise invalid(
            f"Query {name} has an AccountId; the local cloud has one account and no other's metrics."
        )
    if "${" in query.get("Label", ""):
        raise invalid(f"Query {name} has a dynamic label; the local cloud supports plain labels only.")
    period = query.get("MetricStat", query).get("Period")
    if period is not None and not is_period(period):
        raise invalid(
            f"The value {period} for parameter Period is invalid: 1, 5, 10, 20, 30 or a multiple of 60."
        )


class _Results:
    """Computes each query once, expressions after what they name."""

    def __init__(self, store: MetricStore, queries: Mapping[str, Mapping[str, Any]], page: _Page) -> None:
        self._store, self._queries, self._page = store, queries, page
        self._done: dict[str, Series | list[Series]] = {}
        self._under_way: list[str] = []

    def of(self, name: str) -> Series | list[Series]:
        """Return the query's series, or the several of an expression that gives an array; raise AwsError for unknown names and circles."""
        if name in self._done:
            return self._done[name]
        query = self._queries.get(name)
        if query is None:
            raise invalid(f"The expression names {name}, which is the Id of no query.")
        if name in self._under_way:
            circle = " → ".join((*self._under_way, name))
            raise invalid(f"The expressions depend on each other in a circle: {circle}.")
        self._under_way.append(name)
        self._done[name] = self._metric(query) if "MetricStat" in query else self._expression(query)
        self._under_way.pop()
        return self._done[name]

    def _metric(self, query: Mapping[str, Any]) -> Series:
        wanted = query["MetricStat"]
        try:
            read = statistic(wanted["Stat"])
        except UnknownStatisticError as error:
            raise invalid(f"The value {wanted['Stat']} for parameter Stat is invalid: {error}.") from error
        period = wanted["Period"]
        if not is_kept(period, self._store.now() - self._page.start):
            return Series({}, period, _label(query))
        found = self._store.read(
            key(wanted["Metric"]),
            start=aligned(self._page.start, period, self._store.now()),
            end=self._page.end,
            period=period,
            unit=wanted.get("Unit", ""),
        )
        points = {at: read(samples) for at, samples in found.items()}
        return Series({at: value for at, value in points.items() if value is not None}, period, _label(query))

    def _expression(self, query: Mapping[str, Any]) -> Series | list[Series]:
        start = aligned(self._page.start, query.get("Period", 60), self._store.now())
        span = Span(start=start, end=self._page.end)
        try:
            return evaluate(
                query["Expression"], self.of, query.get("Period", 0), span=span, metrics=self._metrics
            )
        except ExpressionError as error:
            raise invalid(f"Error in expression '{query['Id']}': {error}") from error

    def _metrics(self) -> dict[str, Series]:
        """Return every query of the request that reads a metric, returned or not, by id."""
        found = {name: self.of(name) for name, query in self._queries.items() if "MetricStat" in query}
        return {name: series for name, series in found.items() if isinstance(series, Series)}


def _lines(
    query: Mapping[str, Any], found: Series | list[Series]
) -> Sequence[tuple[Mapping[str, Any], str, Series]]:
    """Return a query's series with their labels: of an array, the expression's and the metric's together."""
    if isinstance(found, Series):
        return [(query, _label(query), found)]
    return [(query, f"{_label(query)} {series.label}".strip(), series) for series in found]


def _label(query: Mapping[str, Any]) -> str:
    default = query["MetricStat"]["Metric"]["MetricName"] if "MetricStat" in query else query["Id"]
    return str(query.get("Label") or default)


def _rendered(results: Sequence[tuple[Mapping[str, Any], str, Series]], page: _Page) -> dict[str, Any]:
    rendered = []
    skip, room, more = page.skipped, page.size, False
    for query, label, series in results:
        points = sorted(series.points.items(), reverse=page.descending)
        first, skip = min(skip, len(points)), max(0, skip - len(points))
        shown = points[first : first + room]
        room -= len(shown)
        partial = first + len(shown) < len(points)
        more = more or partial
        if page.skipped and not shown and not partial:
            continue  # shown whole on an earlier page, or empty and said so there
        rendered.append(
            {
                "Id": query["Id"],
                "Label": label,
                "Timestamps": [moment(at) for at, _ in shown],
                "Values": [value for _, value in shown],
                "StatusCode": "PartialData" if partial else "Complete",
            }
        )
    answer: dict[str, Any] = {"MetricDataResults": rendered, "Messages": []}
    if more:
        answer["NextToken"] = token(page.skipped + page.size - room)
    return answer
