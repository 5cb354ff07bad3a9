"""Evidence as columns: one row for each period that should have been measured, for both variants at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from include.gates.signs import SignTable
from include.rollout.evidence import Evidence, Period, Resampling, Threshold
from include.rollout.fleet import Fleet
from include.rollout.pairs import Pairs

Floats = NDArray[np.float64]
VARIANTS = ("production", "shadow")
INVOCATIONS = "invocations"
COUNTS = ("error_", "slower_")  # prefixes of columns that count requests, so at most all of them


@dataclass(frozen=True, kw_only=True)  # without slots, for the cached property
class Table:
    """Columns over the expected periods; NaN where nothing usable was measured.

    Column names are "<variant>_invocations", "<variant>_error_<metric>", "<variant>_latency_<quantile>"
    (microseconds), "<variant>_slower_<label>", "<variant>_overhead_<quantile>" and
    "<variant>_utilization_<metric>.<maximum or average>"
    (percent of one core). Values that cannot be (negative, infinite, NaN, more errors
    than invocations, two different readings of one period) count as missing, never as zero.
    """

    starts: tuple[datetime, ...]
    columns: Mapping[str, Floats]
    sampling: float
    period: int  # seconds
    whole: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    thresholds: tuple[Threshold, ...] = ()
    stable: bool = True
    stray: int = 0  # periods outside the window or off its grid, ignored
    contradicted: int = 0  # periods read twice with different values, dropped
    pairs: Pairs | None = None
    fleets: Mapping[str, Fleet] = field(default_factory=dict)
    resamplings: tuple[Resampling, ...] = ()

    def __len__(self) -> int:
        return len(self.starts)

    def column(self, variant: str, name: str) -> Floats:
        """Return a column, all missing where it was never measured."""
        found = self.columns.get(f"{variant}_{name}")
        return np.full(len(self), np.nan) if found is None else found

    @cached_property
    def paces(self) -> Mapping[float, SignTable]:
        """Return, by margin, the containers' times of all pairs as they were held against it."""
        paces = {} if self.pairs is None else self.pairs.paces
        return {margin: SignTable.of(pace, self.starts) for margin, pace in paces.items()}

    @property
    def used(self) -> NDArray[np.bool_]:
        """Mark the periods in which both variants answered requests; all others are dropped for both."""
        production, shadow = (self.column(variant, INVOCATIONS) for variant in VARIANTS)
        with np.errstate(invalid="ignore"):
            return (production > 0) & (shadow > 0)

    @property
    def shares(self) -> Floats:
        """Return the sampling in force in each period; NaN where it changed."""
        return self._shares(changing=lambda old, new: math.nan)

    @property
    def least_shares(self) -> Floats:
        """Return the share that was copied in each period at least; where it changed, the lower one."""
        return self._shares(changing=min)

    def _shares(self, *, changing: Callable[[float, float], float]) -> Floats:
        shares = [self.sampling] * len(self)
        length = timedelta(seconds=self.period)
        for change in self.resamplings:
            for row, start in enumerate(self.starts):
                if change.by is not None and start >= change.by:
                    shares[row] = change.sampling
                elif start + length > change.after:
                    shares[row] = changing(shares[row], change.sampling)
        return np.array(shares, dtype=np.float64)

    def errors(self, variant: str, metric: str) -> Floats:
        """Return errors per period; a sparse error metric is 0 where the variant was invoked at all."""
        invocations = self.column(variant, INVOCATIONS)
        errors = self.column(variant, f"error_{metric}")
        return np.where(np.isnan(errors) & np.isfinite(invocations), 0.0, errors)

    @classmethod
    def of(cls, evidence: Evidence) -> Table:
        """Lay the evidence out over its expected periods; what cannot be is dropped and counted."""
        starts = evidence.expected
        rows = {start: row for row, start in enumerate(starts)}
        columns: dict[str, Floats] = {}
        stray = contradicted = 0
        for variant, periods in zip(VARIANTS, (evidence.production, evidence.shadow), strict=True):
            read: dict[int, Period] = {}
            torn: set[int] = set()
            for period in periods:
                row = rows.get(period.start)
                if row is None:
                    stray += 1
                    continue
                if row in read and _values(read[row]) != _values(period):
                    torn.add(row)
                read[row] = period
            contradicted += len(torn)
            kept = {row: period for row, period in read.items() if row not in torn}
            for name, column in _columns(kept, len(starts)).items():
                columns[f"{variant}_{name}"] = column
        return cls(
            starts=starts,
            columns=columns,
            sampling=evidence.sampling,
            period=evidence.period,
            whole=evidence.whole,
            thresholds=evidence.thresholds,
            stable=evidence.stable,
            stray=stray,
            contradicted=contradicted,
            pairs=evidence.pairs,
            fleets=evidence.fleets,
            resamplings=evidence.resamplings,
        )


def _groups(period: Period) -> tuple[tuple[str, Mapping[str, float]], ...]:
    return (
        ("error_", period.errors),
        ("latency_", period.latency),
        ("slower_", period.slower),
        ("overhead_", period.overhead),
        ("utilization_", period.utilization),
    )


def _values(period: Period) -> dict[str, float]:
    values = {} if period.invocations is None else {INVOCATIONS: float(period.invocations)}
    for prefix, group in _groups(period):
        values |= {prefix + name: float(value) for name, value in group.items() if value is not None}
    return values


def _columns(periods: Mapping[int, Period], length: int) -> dict[str, Floats]:
    """Return one variant's columns; a period with a value that cannot be true is worthless as a whole.

    Filled as lists, which costs a tenth of writing single numbers into arrays, and checked column by column.
    """
    filled: dict[str, dict[str, list[float]]] = {}
    impossible = np.zeros(length, dtype=np.bool_)
    invocations = [np.nan] * length
    for row, period in periods.items():
        if period.invocations is not None:
            invocations[row] = period.invocations
            impossible[row] = not 0 <= period.invocations < math.inf
        for prefix, group in _groups(period):
            if not group:
                continue
            named = filled.setdefault(prefix, {})
            for name, value in group.items():
                if value is None:
                    continue
                column = named.get(name)
                if column is None:
                    column = named[name] = [np.nan] * length
                column[row] = value
                if not 0 <= value < math.inf:  # NaN is no measurement either
                    impossible[row] = True
    columns = {INVOCATIONS: np.array(invocations, dtype=np.float64)}
    most = np.nan_to_num(columns[INVOCATIONS])
    for prefix, named in filled.items():
        for name, values in named.items():
            found = columns[prefix + name] = np.array(values, dtype=np.float64)
            if prefix in COUNTS:
                with np.errstate(invalid="ignore"):
                    impossible |= found > most
    if impossible.any():
        columns = {name: np.where(impossible, np.nan, column) for name, column in columns.items()}
    return {
        name: column for name, column in columns.items() if name == INVOCATIONS or not np.isnan(column).all()
    }
