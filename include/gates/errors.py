"""Error rates: against production with a margin, and against a fixed limit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from include.gates.reading import Reading
from include.gates.table import INVOCATIONS, Table
from include.gates.wording import above, count, percent, points
from include.rollout.gate import ErrorRateGate, ErrorThresholdGate, Finding, Outcome
from include.stats.eprocess import excess_log_e, rate_log_e
from include.stats.proportions import (
    Counts,
    clopper_pearson,
    difference_upper,
    period_design_effect,
    ratio_upper,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Errors:
    """Errors and requests of both variants over the periods that both were measured in."""

    shadow_errors: Floats
    shadow_requests: Floats
    production_errors: Floats
    production_requests: Floats
    used: NDArray[np.bool_]

    @classmethod
    def of(cls, table: Table, metric: str) -> _Errors:
        columns = {
            f"{variant}_{what}": values
            for variant in ("shadow", "production")
            for what, values in (
                ("errors", table.errors(variant, metric)),
                ("requests", table.column(variant, INVOCATIONS)),
            )
        }
        used = table.used & np.isfinite(np.array(list(columns.values()))).all(axis=0)
        return cls(**{name: np.where(used, values, 0.0) for name, values in columns.items()}, used=used)

    def alike(self, table: Table) -> _Errors:
        """Return both variants over the same mix of periods, where the sampling was changed while they were measured.

        Of a period that was copied in part the shadow has few requests and production all, so where error rates change
        with the hour their sums would differ although the variants do not. Production's counts are scaled down to the
        shares that were copied, which keeps their rate in each period and only widens the limits. Periods in which the
        sampling changed are left out.
        """
        if not table.resamplings:
            return self
        shares = table.shares
        used = self.used & (shares > 0)
        weight = np.where(used, shares / max(shares[used], default=1.0), 0.0)
        return _Errors(
            shadow_errors=np.where(used, self.shadow_errors, 0.0),
            shadow_requests=np.where(used, self.shadow_requests, 0.0),
            production_errors=weight * self.production_errors,
            production_requests=weight * self.production_requests,
            used=used,
        )

    @property
    def shadow(self) -> Counts:
        return Counts(errors=float(self.shadow_errors.sum()), requests=float(self.shadow_requests.sum()))

    @property
    def production(self) -> Counts:
        return Counts(
            errors=float(self.production_errors.sum()), requests=float(self.production_requests.sum())
        )


def error_rate_curve(gate: ErrorRateGate, table: Table) -> Floats:
    """Return, after each period, the log evidence against p_shadow <= p_production + max(rel p, abs).

    The limit is the union of two, relative and absolute; evidence against the union is the smaller of both.
    """
    seen = _Errors.of(table, gate.metric)
    curves = [
        excess_log_e(
            shadow_errors=seen.shadow_errors,
            shadow_requests=seen.shadow_requests,
            production_errors=seen.production_errors,
            production_requests=seen.production_requests,
            ratio=ratio,
            difference=difference,
        )
        for ratio, difference in ((1.0, gate.absolute), (1.0 + gate.relative, 0.0))
    ]
    return np.minimum(*curves)


def error_threshold_curve(gate: ErrorThresholdGate, table: Table) -> Floats:
    """Return, after each period, the log evidence against "the shadow's error rate is at most the limit"."""
    seen = _Errors.of(table, gate.metric)
    return rate_log_e(seen.shadow_errors, seen.shadow_requests, gate.limit)


def error_rate(gate: ErrorRateGate, table: Table, reading: Reading) -> Finding:
    """Pass only if the upper limit of the difference is below the allowed increase; fail only by evidence.

    The shadow may exceed production by max(relative x production's rate, absolute). Either part suffices, so
    the score limit of the difference is held against the absolute part, that of the ratio against the relative.
    Errors that both variants share period by period narrow the limits, bunches of one variant's own widen them.
    """
    seen = _Errors.of(table, gate.metric).alike(table)
    facts = {
        "unit": "errors per request, shadow minus production",
        "alpha": reading.alpha(gate),
        "periods": int(seen.used.sum()),
        "dropped": int(len(table) - seen.used.sum()),
    }
    if not seen.used.any():
        return reading.finding(
            gate,
            Outcome.NO_DATA,
            f"no period has requests of both variants to count {gate.metric} in",
            **facts,
        )
    shadow, production = seen.shadow, seen.production
    alpha = reading.alpha(gate)
    difference = shadow.rate - production.rate
    relative = gate.relative * production.rate
    phi = period_design_effect(
        shadow_errors=seen.shadow_errors,
        shadow_requests=seen.shadow_requests,
        production_errors=seen.production_errors,
        production_requests=seen.production_requests,
        alpha=alpha,
    )
    upper = difference_upper(shadow, production, alpha=alpha, phi=phi)
    lower = -difference_upper(production, shadow, alpha=alpha, phi=phi)
    allowed, high = gate.absolute, upper
    if relative > gate.absolute and not upper < gate.absolute:
        allowed = relative
        high = (ratio_upper(shadow, production, alpha=alpha, phi=phi) - 1) * production.rate
    facts |= {
        "effect": difference,
        "low": lower,
        "high": high if np.isfinite(high) else None,
        "limit": allowed,
        "n": int(shadow.requests),
        "details": {**_rates(shadow, production), "design_effect": phi},
    }
    words = (
        f"the shadow's error rate {percent(shadow.rate)} ({count(shadow.errors)} of {count(shadow.requests)}) is "
        f"{above(difference, points(difference))} production's {percent(production.rate)} "
        f"({count(production.errors)} of {count(production.requests)}"
        + (", scaled to the shares that were copied" if table.resamplings else "")
        + f"); at most {points(allowed)} more is allowed"
    )
    return _conclude(gate, reading, passes=high < allowed, words=words, high=points(high), facts=facts)


def error_threshold(gate: ErrorThresholdGate, table: Table, reading: Reading) -> Finding:
    """Pass only if the exact upper limit of the shadow's error rate is below the limit; fail only by evidence."""
    seen = _Errors.of(table, gate.metric)
    alpha = reading.alpha(gate)
    facts = {
        "unit": "errors per request of the shadow",
        "alpha": alpha,
        "limit": gate.limit,
        "periods": int(seen.used.sum()),
        "dropped": int(len(table) - seen.used.sum()),
    }
    if not seen.used.any():
        return reading.finding(
            gate,
            Outcome.NO_DATA,
            f"no period has requests of both variants to count {gate.metric} in",
            **facts,
        )
    shadow = seen.shadow
    low, high = clopper_pearson(shadow, alpha=alpha)
    facts |= {
        "effect": shadow.rate,
        "low": low,
        "high": high,
        "n": int(shadow.requests),
        "details": _rates(shadow, seen.production),
    }
    words = (
        f"the shadow's error rate is {percent(shadow.rate)} ({count(shadow.errors)} of "
        f"{count(shadow.requests)}); at most {percent(gate.limit)} is allowed"
    )
    return _conclude(gate, reading, passes=high < gate.limit, words=words, high=percent(high), facts=facts)


def _conclude(
    gate: ErrorRateGate | ErrorThresholdGate,
    reading: Reading,
    *,
    passes: bool,
    words: str,
    high: str,
    facts: dict[str, object],
) -> Finding:
    found = reading.contradictions.get(gate.name)
    if found is not None:
        return reading.finding(gate, Outcome.FAIL, f"{words}, and {found.words}", **facts)
    if not reading.is_final:
        return reading.finding(
            gate,
            Outcome.INCONCLUSIVE,
            f"{words}; the window was cut short before this gate was read",
            **facts,
        )
    if passes:
        return reading.finding(
            gate, Outcome.PASS, f"{words}, and it is at most {high} with {_sure(gate, reading)}", **facts
        )
    return reading.finding(
        gate,
        Outcome.INCONCLUSIVE,
        f"{words}, but up to {high} cannot be excluded with {_sure(gate, reading)}",
        **facts,
    )


def _sure(gate: ErrorRateGate | ErrorThresholdGate, reading: Reading) -> str:
    return f"{percent(1 - reading.alpha(gate))} confidence"


def _rates(shadow: Counts, production: Counts) -> dict[str, object]:
    return {
        "shadow": {"errors": shadow.errors, "requests": shadow.requests, "rate": shadow.rate},
        "production": {"errors": production.errors, "requests": production.requests, "rate": production.rate},
    }
