"""The join, as SQL: one table per variant, the k-th record of a key beside the other variant's k-th."""

from __future__ import annotations

import json
from dataclasses import dataclass

import duckdb

from include.pairs.outputs import latency_of, output_of, raw_output, raw_segment, segment_of
from include.rollout.comparison import Join, PairsSection

SIDES = ("production", "shadow")
FINE, MALFORMED, OUTSIDE = 0, 1, 2  # states of a record before it is joined

_SIDE = {"observedContentType": "VARCHAR", "data": "VARCHAR", "encoding": "VARCHAR"}
_RECORD = json.dumps(
    {
        "captureData": {"endpointInput": _SIDE, "endpointOutput": _SIDE},
        "eventMetadata": {"eventId": "VARCHAR", "inferenceId": "VARCHAR", "inferenceTime": "VARCHAR"},
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The window in epoch seconds, how far two captures of a request may lie apart, and the shard."""

    begin: float
    end: float
    slack: float
    shard: int
    shards: int


def staged(side: str, terms: PairsSection, span: Span) -> str:
    """Return the statement that reads the lines of `side` into its table.

    The key is 128 bits of MD5 (it tells requests apart, it protects nothing). `event` tells a record that was delivered
    twice from two requests of the same key; `cluster` is the input, to know how often the same one was sent.
    """
    named = "coalesce(id, '') <> ''"
    by_id = named if terms.join is Join.ID else "false"
    # production's inputs tell the segments; each value is looked up once, in a step of its own
    told = list(enumerate(terms.segments)) if side == "production" else []
    raw = "".join(f", {raw_segment(segment, 'input')} AS raw_{i}" for i, segment in told)
    segments = "".join(f", {segment_of(segment, f'raw_{i}')} AS segment_{i}" for i, segment in told)
    state = (
        f"CASE WHEN key IS NULL THEN {MALFORMED} "
        f"WHEN t < {span.begin - span.slack!r} OR t >= {span.end + span.slack!r} THEN {OUTSIDE} ELSE {FINE} END"
    )
    return f"""
        CREATE TABLE {side} AS
        WITH record AS (
            SELECT try(json_transform(line, '{_RECORD}')) AS r FROM lines WHERE line NOT IN ('', chr(10), chr(13) || chr(10))
        ), fields AS (
            SELECT r.captureData.endpointInput AS i, r.captureData.endpointOutput AS o,
                   r.eventMetadata.inferenceId AS id, r.eventMetadata.eventId AS event,
                   epoch(try_cast(r.eventMetadata.inferenceTime AS TIMESTAMPTZ)) AS t
            FROM record
        ), texts AS (
            SELECT id, event, t, coalesce(i.observedContentType, '') AS kind,
                   {_decoded("i")} AS input, {_decoded("o")} AS output
            FROM fields
        ), keyed AS (
            SELECT *, CASE WHEN t IS NULL OR NOT isfinite(t) THEN NULL
                           WHEN {by_id} THEN md5_number('id ' || id)
                           WHEN input IS NOT NULL THEN md5_number('input ' || kind || chr(10) || input) END AS key
            FROM texts
        ), placed AS (
            SELECT *, CASE WHEN input IS NULL THEN hash(key) ELSE hash(kind, input) END AS cluster FROM keyed
        ), found AS (
            SELECT key, event, t, id, cluster, output AS answer, {raw_output(terms, "output")} AS raw{raw}
            FROM placed
            WHERE CASE WHEN key IS NULL THEN 0 ELSE cluster % {span.shards} END = {span.shard}
        )
        SELECT key, {state} AS state, coalesce(hash(event), hash(t, answer)) AS event, t, {named} AS named,
               {by_id} AS by_id, cluster,
               {output_of(terms, "raw")} AS output, {latency_of(terms, "answer")} AS latency{segments}
        FROM found
    """


def join(connection: duckdb.DuckDBPyConnection, terms: PairsSection) -> None:
    """Make the table `joined` out of both variants' tables, with their accounts in `taken_<side>`.

    A key with one record on either side is joined as it is. Of the others, what was delivered twice counts once; an
    InferenceId of several requests joins nothing, since nobody can say which is which; inputs are joined in the order
    of time, the k-th occurrence to the k-th.
    """
    for side in SIDES:
        connection.execute(
            f"CREATE TABLE again_{side} AS SELECT key FROM {side} WHERE state = {FINE} GROUP BY key HAVING count(*) > 1"
        ).fetchall()
        connection.execute(f"""
            CREATE TABLE twice_{side} AS
            SELECT *, row_number() OVER (PARTITION BY key ORDER BY t, event) - 1 AS turn,
                   count(*) OVER (PARTITION BY key) AS sharing
            FROM (
                SELECT * FROM {side} SEMI JOIN again_{side} USING (key) WHERE state = {FINE}
                QUALIFY row_number() OVER (PARTITION BY key, event ORDER BY t) = 1
            )
        """).fetchall()
        connection.execute(f"""
            CREATE VIEW taken_{side} AS
            SELECT *, 0 AS turn FROM {side} ANTI JOIN again_{side} USING (key) WHERE state = {FINE}
            UNION ALL
            SELECT * EXCLUDE (sharing) FROM twice_{side} WHERE NOT by_id OR sharing = 1
        """).fetchall()
    segments = "".join(f", a.segment_{i}" for i in range(len(terms.segments)))
    connection.execute(f"""
        CREATE TABLE joined AS
        SELECT a.t AS t, b.t AS t_shadow, a.cluster AS cluster, a.output AS p, b.output AS s,
               a.latency AS latency_p, b.latency AS latency_s{segments}
        FROM taken_production a JOIN taken_shadow b USING (key, turn)
    """).fetchall()


def _decoded(side: str) -> str:
    """Return the text of one side; bytes that are no text stay in base64, so that they can still be compared."""
    return (
        f"CASE WHEN {side}.encoding = 'BASE64' "
        f"THEN coalesce(try(decode(from_base64({side}.data))), {side}.data) ELSE {side}.data END"
    )
