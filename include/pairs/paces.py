"""The container's own times, pair by pair, as SQL over the compared records: counts that merge."""

from __future__ import annotations

import math

import duckdb

from include.rollout.pace import BINS, EDGES, STEP, Pace, Signs

LEVEL = f"floor((ln(latency_p) + ln(latency_s)) / 2 / {STEP!r})::INTEGER"
"""The level of a row of `joined`: NULL where one of the times is missing."""


def pace(connection: duckdb.DuckDBPyConnection, margin: float) -> Pace:
    """Return the pairs of `compared` whose both times were reported, held against a margin (0.1 allows 1.1 times)."""
    apart = f"abs(ln(ratio) - {math.log1p(margin)!r})"
    beyond = " + ".join(f"({apart} > {edge!r})::INTEGER" for edge in EDGES)
    half = BINS // 2
    rows = connection.execute(f"""
        SELECT start, level, CASE WHEN ratio > {1 + margin!r}::DOUBLE THEN {half} + {beyond}
                                  ELSE {half - 1} - ({beyond}) END AS bin, count(*)
        FROM compared WHERE level IS NOT NULL GROUP BY ALL
    """).fetchall()
    found: dict[int, dict[int, list[int]]] = {}
    for start, level, place, n in rows:
        found.setdefault(start, {}).setdefault(level, [0] * BINS)[place] = n
    return Pace(
        periods={
            start: {level: Signs(counts=tuple(counts)) for level, counts in levels.items()}
            for start, levels in found.items()
        }
    )
