"""Sums and sketches, as SQL over the columns of a table: whole numbers that merge."""

from __future__ import annotations

from include.rollout.moments import GRID, LARGEST
from include.rollout.sketch import BUCKETS, LOG_WIDTH, LOWEST


def sums(value: str) -> str:
    """Return how many values, their sum and that of their squares, on the grid: exact, whatever the order."""
    whole = f"round({value} * {2.0**GRID!r})::BIGINT"
    return f"count({value}), coalesce(sum({whole}), 0), coalesce(sum({whole}::HUGEINT * {whole}::HUGEINT), 0)"


def in_range(value: str) -> str:
    """Return a value where it can be summed, else NULL."""
    return f"CASE WHEN abs({value}) <= {LARGEST!r} THEN {value} END"


def bucket(value: str) -> str:
    """Return the bucket of a sketch that a value falls into."""
    return (
        f"(CASE WHEN abs({value}) <= {LOWEST!r} THEN 0 "
        f"ELSE sign({value}) * least(greatest(ceil(ln(abs({value}) / {LOWEST!r}) / {LOG_WIDTH!r}), 1), {BUCKETS}) END)::INTEGER"
    )
