"""Descriptive statistics of both variants over the window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from include.ledger.objects import Kind
from include.ledger.reader import Record
from include.report.series import QUANTILES, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """One quantity's mean, least and greatest value over the periods, in milliseconds."""

    mean: float | None
    least: float | None
    most: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """A variant over all periods that were measured for it."""

    role: str
    periods: int
    requests: float
    errors: float
    error_rate: float | None
    errors_4xx: float
    errors_5xx: float
    latency: dict[str, Spread]  # quantile of a period -> its spread over the periods
    whole: dict[str, float]  # quantile -> over all requests of the window, where CloudWatch could tell


def describe(rows: Sequence[Row], record: Record, role: str) -> Statistics:
    """Sum up a variant: every request counts once, every period's quantile once."""
    measured = [row[role] for row in rows if row[role] is not None and row[role]["requests"] is not None]
    requests = sum(numbers["requests"] for numbers in measured)
    errors = sum(numbers["errors"] for numbers in measured)
    return Statistics(
        role=role,
        periods=len(measured),
        requests=requests,
        errors=errors,
        error_rate=errors / requests if requests else None,
        errors_4xx=sum(numbers["errors_4xx"] for numbers in measured),
        errors_5xx=sum(numbers["errors_5xx"] for numbers in measured),
        latency={quantile: _spread([numbers[quantile] for numbers in measured]) for quantile in QUANTILES},
        whole=_whole(record, role),
    )


def change(production: float | None, shadow: float | None) -> float | None:
    """Return the shadow's value over production's, or None where there is no such ratio."""
    return shadow / production if production and shadow is not None else None


def _spread(values: list[Any]) -> Spread:
    known = [value for value in values if value is not None]
    if not known:
        return Spread(mean=None, least=None, most=None)
    return Spread(mean=sum(known) / len(known), least=min(known), most=max(known))


def _whole(record: Record, role: str) -> dict[str, float]:
    readings = list(record.all(Kind.EVIDENCE).values())
    found = (readings[-1].get("whole") or {}).get(role) or {} if readings else {}
    return {quantile: found[quantile] / 1000 for quantile in QUANTILES if quantile in found}
