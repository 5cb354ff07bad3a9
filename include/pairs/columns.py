"""Elements of vectors and labels, counted over the joined records."""

from __future__ import annotations

import duckdb

from include.pairs.joining import Span, compared
from include.pairs.sums import bucket, in_range, sums
from include.rollout.columns import MOST_COLUMNS, Column, Columns, Label
from include.rollout.comparison import Output, PairsSection
from include.rollout.moments import Moments
from include.rollout.sketch import Sketch

_LONGEST = 80  # characters that labels are told apart by


def columns_of(connection: duckdb.DuckDBPyConnection, terms: PairsSection, span: Span) -> Columns:
    """Return what the answers hold beside a first number; nothing for answers that are neither vectors nor labels."""
    if terms.output is Output.VECTOR:
        return _elements(connection, terms, span)
    if terms.output is Output.LABEL:
        return _labels(connection, span)
    return Columns()


def _elements(connection: duckdb.DuckDBPyConnection, terms: PairsSection, span: Span) -> Columns:
    """Count each element from the second on, of the pairs in which both variants have it."""
    ((width,),) = connection.execute(
        f"SELECT coalesce(max(greatest(len(p), len(s))), 0) FROM joined WHERE {compared(span)}"
    ).fetchall()
    if width > MOST_COLUMNS:
        return Columns(many=True)
    unit = f"{terms.unit!r}::DOUBLE"
    connection.execute(f"""
        CREATE TABLE element AS
        SELECT i, {in_range(f"p[i + 1] / {unit}")} AS production, {in_range(f"s[i + 1] / {unit}")} AS shadow
        FROM joined, range(1, {max(1, width)}) AS places(i) WHERE {compared(span)}
    """).fetchall()
    moments: dict[int, list[Moments]] = {}
    for i, *numbers in connection.execute(
        f"SELECT i, {sums('production')}, {sums('shadow')}, {sums('(shadow - production)')} FROM element GROUP BY i"
    ).fetchall():
        moments[i] = [
            Moments(n=n, total=int(total), squares=int(squares))
            for n, total, squares in zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)
        ]
    outputs: dict[tuple[int, str], dict[int, int]] = {}
    for side in ("production", "shadow"):
        for i, place, n in connection.execute(
            f"SELECT i, {bucket(side)} AS place, count(*) FROM element WHERE {side} IS NOT NULL GROUP BY i, place"
        ).fetchall():
            outputs.setdefault((i, side), {})[int(place)] = n
    return Columns(
        elements={
            str(i): Column(
                production=production,
                shadow=shadow,
                shift=shift,
                production_outputs=Sketch(counts=outputs.get((i, "production"), {})),
                shadow_outputs=Sketch(counts=outputs.get((i, "shadow"), {})),
            )
            for i, (production, shadow, shift) in moments.items()
        }
    )


def _labels(connection: duckdb.DuckDBPyConnection, span: Span) -> Columns:
    """Count each label over the pairs in which both answers could be read."""
    readable = f"{compared(span)} AND p IS NOT NULL AND s IS NOT NULL"
    rows = connection.execute(f"""
        WITH answer AS (SELECT left(p, {_LONGEST}) AS p, left(s, {_LONGEST}) AS s FROM joined WHERE {readable}),
             given AS (
                SELECT p AS label, 1 AS p, 0 AS s, (p = s)::INTEGER AS agreed FROM answer
                UNION ALL SELECT s, 0, 1, 0 FROM answer
             )
        SELECT label, sum(p), sum(s), sum(agreed) FROM given GROUP BY label LIMIT {MOST_COLUMNS + 1}
    """).fetchall()
    if len(rows) > MOST_COLUMNS:
        return Columns(many=True)
    return Columns(
        labels={
            str(label): Label(production=int(p), shadow=int(s), both=int(both)) for label, p, s, both in rows
        }
    )
