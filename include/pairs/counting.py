"""The counts, as SQL over the joined records: whole numbers that merge."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import duckdb

from include.pairs.columns import columns_of
from include.pairs.joining import MALFORMED, OUTSIDE, SIDES, UNREAD, Span, compared, within
from include.pairs.outputs import comparison_of
from include.pairs.paces import LEVEL, pace
from include.pairs.sums import bucket, in_range, sums
from include.rollout.comparison import PairsSection
from include.rollout.moments import Moments
from include.rollout.pairs import (
    MOST_SEGMENTS,
    Pairs,
    Records,
    Tally,
)
from include.rollout.sketch import Sketch

_GROUPED = 1_000_000  # pairs whose inputs are grouped at a time


def count(
    connection: duckdb.DuckDBPyConnection,
    terms: PairsSection,
    span: Span,
    period: int,
    margins: Iterable[float] = (),
) -> Pairs:
    """Return what the joined records say, in counts and exact sums; `margins` are what reported times are held against."""
    _compare(connection, terms, span, period)
    inside, late = within("t", span), f"abs(t_shadow - t) > {span.slack!r}"
    alone = {"production": "t_shadow IS NULL", "shadow": "t IS NULL"}
    lost = {"production": within("t", span), "shadow": within("t_shadow", span)}
    filters = [
        f"{inside} AND NOT ({late})",
        f"{inside} AND {late}",
        f"NOT ({inside}) AND t_shadow IS NOT NULL",
        f"{inside} AND NOT ({late}) AND {UNREAD}",
        *(
            f"{alone[side]} AND {condition}"
            for side in SIDES
            for condition in (lost[side], f"NOT ({lost[side]})")
        ),
    ]
    counts = ", ".join(f"count(*) FILTER ({condition})" for condition in filters)
    ((matched, too_late, elsewhere, unreadable, *left),) = _rows(connection, f"SELECT {counts} FROM joined")
    met = {"matched": matched, "late": too_late}
    production = _account(connection, "production", **met, unmatched=left[0], outside=elsewhere + left[1])
    shadow = _account(connection, "shadow", **met, unmatched=left[2], outside=elsewhere + left[3])
    segments: dict[str, dict[str, Tally]] = {}
    scattered = set()
    for i, segment in enumerate(terms.segments):
        values = _tallies(connection, f"segment_{i}", limit=MOST_SEGMENTS + 1)
        if len(values) > MOST_SEGMENTS:
            scattered.add(segment.name)
        else:
            segments[segment.name] = values
    ((least, greatest),) = _rows(connection, "SELECT min(answer), max(answer) FROM compared")
    latency, ratios = _moments(connection, "ln(ratio)"), _sketch(connection, "ratio")
    return Pairs(
        period=period,
        production=production,
        shadow=shadow,
        unreadable=unreadable,
        all=_tallies(connection, "''", limit=1).get("", Tally()),
        inputs_squared=_repetition(connection),
        periods={
            int(start): (pairs, flips)
            for start, pairs, flips in _rows(
                connection, "SELECT start, count(*), count(*) FILTER (flip) FROM compared GROUP BY start"
            )
        },
        segments=segments,
        scattered=frozenset(scattered),
        differences=_sketch(connection, "difference"),
        outputs={side: _sketch(connection, f"first_{side}") for side in SIDES},
        levels={side: _moments(connection, f"first_{side}") for side in SIDES},
        columns=columns_of(connection, terms, span),
        shift=_moments(connection, "(first_shadow - first_production)"),
        answers=None if least is None else (int(least), int(greatest)),
        latency=latency,
        latency_ratios=ratios,
        paces={margin: found for margin in margins if (found := pace(connection, margin)).periods}
        if latency.n
        else {},
    )


def _compare(connection: duckdb.DuckDBPyConnection, terms: PairsSection, span: Span, period: int) -> None:
    told = comparison_of(terms)
    segments = "".join(f", segment_{i}" for i in range(len(terms.segments)))
    unit = f"{terms.unit!r}::DOUBLE"
    expected = told.fit if told.measured else "false"
    firsts = ", ".join(
        f"{in_range(f'({told.first.format(x=column)})::DOUBLE / {unit}')} AS first_{side}"
        for side, column in zip(SIDES, ("p", "s"), strict=True)
    )
    connection.execute(f"""
        CREATE TABLE compared AS
        SELECT (floor(t / {period}) * {period})::BIGINT AS start, cluster, {told.same} AS same, {told.close} AS close,
               {told.flip} AS flip, NOT ({told.fit}) AS mismatched, {expected} AS expected,
               {told.rise} AS rise, {told.fall} AS fall,
               {in_range(f"({told.difference}) / {unit}")} AS difference, {firsts},
               latency_s / latency_p AS ratio, {LEVEL} AS level,
               CASE WHEN p_number IS NULL THEN hash(p) ELSE hash(p_number) END AS answer{segments}
        FROM joined
        WHERE {compared(span)}
    """).fetchall()


def _repetition(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the sum, over all different inputs, of the square of how often each was compared.

    A group is an input, of which there can be as many as there are pairs: some at a time are grouped, so that memory
    does not grow with them. Shards are told apart by the remainder, so these parts are by the upper half.
    """
    ((n,),) = _rows(connection, "SELECT count(*) FROM compared")
    parts = n // _GROUPED + 1
    return sum(
        int(squares)
        for part in range(parts)
        for (squares,) in _rows(
            connection,
            f"""SELECT coalesce(sum(n * n), 0) FROM (
                SELECT count(*) AS n FROM compared WHERE (cluster >> 32) % {parts} = {part} GROUP BY cluster
            )""",
        )
    )


def _account(
    connection: duckdb.DuckDBPyConnection, side: str, *, matched: int, late: int, unmatched: int, outside: int
) -> Records:
    """Account for every record of a side, given what became of those that were joined or left alone by the join."""
    ((read, malformed, far, named),) = _rows(
        connection,
        f"""SELECT count(*), count(*) FILTER (state = {MALFORMED}), count(*) FILTER (state = {OUTSIDE}),
                   count(*) FILTER (named AND state <> {MALFORMED}) FROM {side}""",
    )
    ((again,),) = _rows(connection, f"SELECT coalesce(sum(n), 0) FROM again_{side}")
    ((once, ambiguous),) = _rows(
        connection, f"SELECT count(*), count(*) FILTER (ambiguous) FROM twice_{side}"
    )
    return Records(
        read=read,
        malformed=malformed,
        outside=far + outside,
        repeated=int(again) - once,
        ambiguous=ambiguous,
        unmatched=unmatched,
        late=late,
        matched=matched,
        named=named,
    )


def _tallies(connection: duckdb.DuckDBPyConnection, group: str, *, limit: int) -> dict[str, Tally]:
    rows = _rows(
        connection,
        f"""SELECT {group}, count(*), count(*) FILTER (same), count(*) FILTER (close), count(*) FILTER (flip), count(*) FILTER (mismatched),
                   count(*) FILTER (rise), count(*) FILTER (fall),
                   count(*) FILTER (expected AND difference IS NULL), {sums("difference")}
            FROM compared GROUP BY 1 LIMIT {limit}""",
    )
    return {
        str(value): Tally(
            n=n,
            same=same,
            close=close,
            flips=flips,
            mismatched=mismatched,
            rises=rises,
            falls=falls,
            wild=wild,
            difference=Moments(n=measured, total=int(total), squares=int(squares)),
        )
        for value, n, same, close, flips, mismatched, rises, falls, wild, measured, total, squares in rows
    }


def _moments(connection: duckdb.DuckDBPyConnection, value: str) -> Moments:
    ((n, total, squares),) = _rows(connection, f"SELECT {sums(value)} FROM compared")
    return Moments(n=n, total=int(total), squares=int(squares))


def _sketch(connection: duckdb.DuckDBPyConnection, value: str) -> Sketch:
    rows = _rows(
        connection,
        f"SELECT {bucket(value)} AS bucket, count(*) FROM compared WHERE {value} IS NOT NULL GROUP BY bucket",
    )
    return Sketch(counts={int(b): n for b, n in rows})


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query).fetchall()
