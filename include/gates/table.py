"""Evidence as columns: one row for each period that should have been measured, for both variants at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from include.rollout.evidence import Evidence, Period, Threshold
from include.rollout.pairs import Pairs

Floats = NDArray[np.float64]
VARIANTS = ("production", "shadow")
INVOCATIONS = "invocations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Columns over the expected periods; NaN where nothing usable was measured.

    Column names are "<variant>_invocations", "<variant>_error_<metric>", "<variant>_latency_<quantile>"
    (microseconds), "<variant>_slower_<label>", "<variant>_overhead_<quantile>" and
    "<variant>_utilization_<metric>" (percent). Values that cannot be (negative, infinite, NaN, more errors
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

    def __len__(self) -> int:
        return len(self.starts)

    def column(self, variant: str, name: str) -> Floats:
        """Return a column, all missing where it was never measured."""
        found = self.columns.get(f"{variant}_{name}")
        return np.full(len(self), np.nan) if found is None else found

    @property
    def used(self) -> NDArray[np.bool_]:
        """Mark the periods in which both variants answered requests; all others are dropped for both."""
        production, shadow = (self.column(variant, INVOCATIONS) for variant in VARIANTS)
        with np.errstate(invalid="ignore"):
            return (production > 0) & (shadow > 0)

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
            read: dict[int, dict[str, float]] = {}
            torn: set[int] = set()
            for period in periods:
                row = rows.get(period.start)
                if row is None:
                    stray += 1
                    continue
                values = _values(period)
                if row in read and read[row] != values:
                    torn.add(row)
                read[row] = values
            contradicted += len(torn)
            for row, values in read.items():
                if row in torn or not _possible(values):
                    continue
                for name, value in values.items():
                    column = columns.setdefault(f"{variant}_{name}", np.full(len(starts), np.nan))
                    column[row] = value
        for variant in VARIANTS:
            columns.setdefault(f"{variant}_{INVOCATIONS}", np.full(len(starts), np.nan))
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
        )


def _values(period: Period) -> dict[str, float]:
    values = {} if period.invocations is None else {INVOCATIONS: float(period.invocations)}
    for prefix, group in (
        ("error_", period.errors),
        ("latency_", period.latency),
        ("slower_", period.slower),
        ("overhead_", period.overhead),
        ("utilization_", period.utilization),
    ):
        for name, value in group.items():
            if value is not None:
                values[prefix + name] = float(value)
    return values


def _possible(values: Mapping[str, float]) -> bool:
    """Say whether a period's values can be true together; a lie in one makes the period worthless."""
    if not all(math.isfinite(value) and value >= 0 for value in values.values()):
        return False
    invocations = values.get(INVOCATIONS, 0.0)
    return all(
        value <= invocations for name, value in values.items() if name.startswith(("error_", "slower_"))
    )
