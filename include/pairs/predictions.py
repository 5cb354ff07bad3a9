"""The sample of answers, drawn from the joined records."""

from __future__ import annotations

import duckdb

from include.pairs.joining import Span, compared
from include.rollout.predictions import MOST, Predictions


def predictions(connection: duckdb.DuckDBPyConnection, span: Span) -> Predictions:
    """Return the sample of the pairs that are compared; the hash of a request is that of its input and its time."""
    where = compared(span)
    ((total,),) = connection.execute(f"SELECT count(*) FROM joined WHERE {where}").fetchall()
    # All that share the last hash come along, so that parts cut where the whole is cut.
    rows = connection.execute(
        f"""WITH drawn AS (SELECT hash(cluster, t) AS h, p_number, p, s_number, s FROM joined WHERE {where})
            SELECT * FROM drawn WHERE h <= (SELECT max(h) FROM (SELECT h FROM drawn ORDER BY h LIMIT {MOST}))"""
    ).fetchall()
    sample = [(int(h), _frozen(m, p), _frozen(n, s)) for h, m, p, n, s in rows]
    return Predictions.of(sample, total=total)


def _frozen(number: float | None, answer: object) -> object:
    if number is not None:
        return (number,)
    return tuple(answer) if isinstance(answer, list) else answer
