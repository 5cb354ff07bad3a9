"""The sample of answers, drawn from the joined records."""

from __future__ import annotations

import duckdb

from include.pairs.joining import Span
from include.rollout.predictions import MOST, Predictions


def predictions(connection: duckdb.DuckDBPyConnection, span: Span) -> Predictions:
    """Return the sample of the pairs that are compared; the hash of a request is that of its input and its time."""
    compared = (
        f"t >= {span.begin!r} AND t < {span.end!r} AND abs(t_shadow - t) <= {span.slack!r} "
        "AND (p IS NOT NULL OR s IS NOT NULL)"
    )
    ((total,),) = connection.execute(f"SELECT count(*) FROM joined WHERE {compared}").fetchall()
    # All that share the last hash come along, so that parts cut where the whole is cut.
    rows = connection.execute(
        f"""WITH drawn AS (SELECT hash(cluster, t) AS h, p, s FROM joined WHERE {compared})
            SELECT h, p, s FROM drawn WHERE h <= (SELECT max(h) FROM (SELECT h FROM drawn ORDER BY h LIMIT {MOST}))"""
    ).fetchall()
    return Predictions.of([(int(h), _frozen(p), _frozen(s)) for h, p, s in rows], total=total)


def _frozen(answer: object) -> object:
    return tuple(answer) if isinstance(answer, list) else answer
