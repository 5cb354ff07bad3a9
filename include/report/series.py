"""What the charts draw: both variants period by period, and the evidence for an abort tick by tick."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from include.ledger.objects import Kind
from include.ledger.reader import Record
from include.report.numbers import known
from include.rollout.names import moment, timestamp

ROLES = ("production", "shadow")
QUANTILES = ("p50", "p90", "p99")
ERRORS = {
    "errors": "InvocationModelErrors",
    "errors_4xx": "Invocation4XXErrors",
    "errors_5xx": "Invocation5XXErrors",
}

Document = Mapping[str, Any]
Row = dict[str, Any]


def rows(record: Record) -> list[Row]:
    """Return one row a period, in order: its start and, of each variant, requests, errors and latencies in ms.

    The ticks tell what was seen while the window was open; a reading of the closed window saw more and later, so
    where both know a period the reading counts. A variant without a datapoint in a period has None there.
    """
    found: dict[str, Row] = {}
    _collect(found, _of_ticks(record.ticks))
    for reading in record.all(Kind.EVIDENCE).values():
        _collect(found, ((role, period) for role in ROLES for period in reading.get(role) or ()))
    return [found[start] for start in sorted(found)]


def rows_of(ticks: Iterable[Document]) -> list[Row]:
    """Return the rows that some ticks tell, for a page that has the earlier ones."""
    found: dict[str, Row] = {}
    _collect(found, _of_ticks(ticks))
    return [found[start] for start in sorted(found)]


def evidence_of(ticks: Iterable[Document]) -> list[Row]:
    """Return the abort's evidence after each tick: log e over all measures, by gate, and what it must reach."""
    return [
        {
            "end": str(tick.get("end", "")),
            "log_e": known(tick.get("log_e")),
            "bar": known(tick.get("bar")),
            "by_gate": {str(gate): known(value) for gate, value in (tick.get("by_gate") or {}).items()},
        }
        for tick in ticks
    ]


def window(record: Record) -> dict[str, Any] | None:
    """Return when the window begins and ends, with every extension; None if it did not open."""
    opened = record.get(Kind.WINDOW)
    if opened is None or opened.get("closed") or not opened.get("begin") or not opened.get("end"):
        return None
    longer = known((record.get(Kind.EXTENSION) or {}).get("seconds")) or 0.0
    longer += sum(known(asked.get("seconds")) or 0.0 for asked in record.all(Kind.CONCLUDE).values())
    end = moment(str(opened["end"])) + timedelta(seconds=longer)
    return {"begin": str(opened["begin"]), "end": timestamp(end), "longer": longer}


def crossing(evidence: Iterable[Row]) -> Row | None:
    """Return the first tick at which the evidence reached the bar."""
    return next(
        (
            point
            for point in evidence
            if point["log_e"] is not None and point["bar"] is not None and point["log_e"] >= point["bar"]
        ),
        None,
    )


def lines(record: Record) -> dict[str, Any]:
    """Return the limits that the spec draws into the charts: error rate, latency in ms, and allowed ratios."""
    found: dict[str, Any] = {"error_rate": None, "latency": {}, "ratio": {}}
    for rule in _rules(record):
        kind, quantile = rule.get("kind"), str(rule.get("quantile", ""))
        if kind == "error_threshold" and rule.get("metric", ERRORS["errors"]) == ERRORS["errors"]:
            found["error_rate"] = known(rule.get("limit"))
        elif kind == "latency_threshold":
            found["latency"][quantile] = known(rule.get("limit_ms"))
        elif kind == "latency":
            margin = known(rule.get("margin"))
            found["ratio"][quantile] = None if margin is None else 1 + margin
    return found


def _rules(record: Record) -> list[Document]:
    spec = (record.get(Kind.SPEC) or {}).get("spec") or {}
    return [rule for rule in (spec.get("gates") or {}).get("rules") or () if isinstance(rule, Mapping)]


def _of_ticks(ticks: Iterable[Document]) -> Iterable[tuple[str, Document]]:
    for tick in ticks:
        for role in ROLES:
            numbers = tick.get(role) or {}
            seen = numbers.get("periods") or ([numbers["period"]] if numbers.get("period") else [])
            for period in seen:
                yield role, period


def _collect(found: dict[str, Row], periods: Iterable[tuple[str, Document]]) -> None:
    for role, period in periods:
        start = str(period["start"])
        row = found.setdefault(start, {"start": start, **dict.fromkeys(ROLES)})
        row[role] = _numbers(period)


def _numbers(period: Document) -> Row:
    requests = known(period.get("invocations"))
    errors = period.get("errors") or {}
    latency = period.get("latency") or {}
    numbers: Row = {"requests": requests}
    for name, metric in ERRORS.items():
        # Error metrics are sparse: absent counts as 0 where there were requests, and as unknown where not.
        numbers[name] = None if requests is None else (known(errors.get(metric)) or 0.0)
    numbers["error_rate"] = numbers["errors"] / requests if requests else None
    for quantile in QUANTILES:
        microseconds = known(latency.get(quantile))
        numbers[quantile] = None if microseconds is None else microseconds / 1000
    return numbers
