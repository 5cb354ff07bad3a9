"""The join, as SQL: one table per variant, the k-th record of a key beside the other variant's k-th."""

from __future__ import annotations

import json
from dataclasses import dataclass

import duckdb

from include.pairs.layout import CONSTANT, TIME, VARYING
from include.pairs.outputs import latency_of, number_of, output_of, raw_output, raw_segment, segment_of
from include.pairs.records import BASE64, TEXTS, cell
from include.rollout.comparison import Join, PairsSection, Segment

SIDES = ("production", "shadow")
UNREAD = "coalesce(p_number, s_number) IS NULL AND p IS NULL AND s IS NULL"  # of a pair: neither output is readable
FINE, MALFORMED, OUTSIDE = 0, 1, 2  # states of a record before it is joined

_ANSWERS = (
    {"output": "p", "number": "p_number", "latency": "latency_p"},
    {"output": "s", "number": "s_number", "latency": "latency_s"},
)  # the columns of a variant's table, and what they are called once they are joined
_SIDE = {"observedContentType": "VARCHAR", "data": "VARCHAR", "encoding": "VARCHAR"}
_RECORD = json.dumps(
    {
        "captureData": {"endpointInput": _SIDE, "endpointOutput": _SIDE},
        "eventMetadata": {"eventId": "VARCHAR", "inferenceId": "VARCHAR", "inferenceTime": "VARCHAR"},
    }
)
FIELDS = {name: ".".join(path) for path, name in (VARYING | CONSTANT).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The window in epoch seconds, how far two captures of a request may lie apart, and the shard."""

    begin: float
    end: float
    slack: float
    shard: int
    shards: int


def within(time: str, span: Span) -> str:
    """Return whether a time is in the window."""
    return f"{time} >= {span.begin!r} AND {time} < {span.end!r}"


def compared(span: Span) -> str:
    """Return whether a row of `joined` is a pair of the window, of which at least one output could be read."""
    return f"{within('t', span)} AND abs(t_shadow - t) <= {span.slack!r} AND NOT ({UNREAD})"


def columns(side: str, terms: PairsSection) -> list[int]:
    """Return the columns of CSV inputs that `staged` wants to be looked up: production's inputs tell the segments."""
    places = (segment.at for segment in terms.segments) if side == "production" else ()
    return [place for place in places if isinstance(place, int)]


def fields(*others: str) -> str:
    """Return the table expression `fields`: those of all records, read by position or parsed, NULL where there is none.

    Other columns of the records come along as they are.
    """
    columns = ", ".join([*(_either(name, path) for name, path in FIELDS.items()), *others])
    return f"""record AS (
            SELECT *, CASE WHEN line IS NOT NULL THEN try(json_transform(line, '{_RECORD}')) END AS r FROM records
        ), fields AS (
            SELECT {columns} FROM record
        )"""


def staged(side: str, terms: PairsSection, span: Span) -> str:
    """Return the statement that reads the lines of `side` into its table.

    The key is 128 bits: two hashes, which tell requests apart and protect nothing. `event` tells a record that was delivered
    twice from two requests of the same key; `cluster` is the input, to know how often the same one was sent.
    """
    named = "coalesce(id, '') <> ''"
    by_id = named if terms.join is Join.ID else "false"
    # each segment's value is looked up once, in a step of its own, unless it was found by position
    cluster = ", cluster" if side == "production" else ""
    told = list(enumerate(terms.segments)) if side == "production" else []
    cells = {cell(column): None for column in columns(side, terms)}
    carried = "".join(f", {name}" for name in cells)
    raw = "".join(f", {_raw(segment)} AS raw_{i}" for i, segment in told)
    segments = "".join(f", {segment_of(segment, f'raw_{i}')} AS segment_{i}" for i, segment in told)
    number, output = output_of(terms, "raw", "number")
    # the one shard of all records need not look at their inputs
    mine = (
        f"CASE WHEN key IS NULL THEN 0 ELSE cluster % {span.shards} END = {span.shard}"
        if span.shards > 1
        else "true"
    )
    state = (
        f"CASE WHEN key IS NULL THEN {MALFORMED} "
        f"WHEN t < {span.begin - span.slack!r} OR t >= {span.end + span.slack!r} THEN {OUTSIDE} ELSE {FINE} END"
    )
    return f"""
        CREATE TABLE {side} AS
        WITH {fields(*cells)}, texts AS (
            SELECT id, event, t, coalesce(kind, '') AS kind, {_decoded("input")} AS input, {_decoded("output")} AS output
                   {carried}
            FROM fields
        ), keyed AS (
            SELECT *, {number_of(terms, "output")} AS number,
                   CASE WHEN t IS NULL OR NOT isfinite(t) THEN NULL
                        WHEN {by_id} THEN {_key("hash(id)", "id")}
                        WHEN input IS NOT NULL THEN {_key("hash(kind, input)", "input")} END AS key
            FROM texts
        ), placed AS (
            SELECT *, CASE WHEN input IS NULL THEN hash(key) ELSE hash(kind, input) END AS cluster FROM keyed
        ), found AS (
            SELECT key, event, t, id, cluster, output AS answer, number,
                   {raw_output(terms, "output", "number")} AS raw{raw}
            FROM placed
            WHERE {mine}
        )
        SELECT key, ({state})::UTINYINT AS state, CASE WHEN event IS NULL THEN hash(t, answer) ELSE hash(event) END AS event,
               t, {named} AS named, {number} AS number, {output} AS output,
               {latency_of(terms, "answer")} AS latency{cluster}{segments}
        FROM found
    """


def join(connection: duckdb.DuckDBPyConnection, terms: PairsSection) -> None:
    """Make the table `joined` out of both variants' tables: a row for each pair, and for each record that is in none.

    A key with one record on either side is joined as it is. Of the others, what was delivered twice counts once; an
    InferenceId of several requests joins nothing, since nobody can say which is which; inputs are joined in the order
    of time, the k-th occurrence to the k-th. These are in `twice_<side>`.
    """
    by_id = "named" if terms.join is Join.ID else "false"
    for side in SIDES:
        connection.execute(
            f"""CREATE TABLE again_{side} AS
                SELECT key, count(*) AS n FROM {side} WHERE state = {FINE} GROUP BY key HAVING n > 1"""
        ).fetchall()
        connection.execute(f"""
            CREATE TABLE twice_{side} AS
            SELECT *, row_number() OVER (PARTITION BY key ORDER BY t, event) - 1 AS turn,
                   {by_id} AND count(*) OVER (PARTITION BY key) > 1 AS ambiguous
            FROM (
                SELECT * FROM {side} SEMI JOIN again_{side} USING (key) WHERE state = {FINE}
                QUALIFY row_number() OVER (PARTITION BY key, event ORDER BY t) = 1
            )
        """).fetchall()
        connection.execute(f"""
            CREATE VIEW taken_{side} AS
            SELECT *, 0 AS turn FROM {side} ANTI JOIN again_{side} USING (key) WHERE state = {FINE}
            UNION ALL
            SELECT * EXCLUDE (ambiguous) FROM twice_{side} WHERE NOT ambiguous
        """).fetchall()
    segments = "".join(f", a.segment_{i}" for i in range(len(terms.segments)))
    held, empty = _answers(connection)
    connection.execute(f"""
        CREATE TABLE met AS
        SELECT a.t AS t, b.t AS t_shadow, a.cluster AS cluster{held}{segments}
        FROM taken_production a FULL JOIN taken_shadow b ON a.key = b.key AND a.turn = b.turn
    """).fetchall()
    connection.execute(f"CREATE VIEW joined AS SELECT *{empty} FROM met").fetchall()


def _answers(connection: duckdb.DuckDBPyConnection) -> tuple[str, str]:
    """Return the columns that answers are held in, and apart from them those in which no record has any.

    Most answers are one number, without a latency: carrying empty lists through the join would double its time.
    """
    held = empty = ""
    for side, table, names in zip(SIDES, "ab", _ANSWERS, strict=True):
        types = {name: type for name, type, *_ in connection.execute(f"DESCRIBE {side}").fetchall()}
        counts = ", ".join(f"count({column})" for column in names)
        (found,) = connection.execute(f"SELECT {counts} FROM {side}").fetchall()
        for (column, name), n in zip(names.items(), found, strict=True):
            if n:
                held += f", {table}.{column} AS {name}"
            else:
                empty += f", NULL::{types[column]} AS {name}"
    return held, empty


def _raw(segment: Segment) -> str:
    """Return what stands in the input where a segment is told."""
    sought = raw_segment(segment, "input")
    return f"coalesce({cell(segment.at)}, {sought})" if isinstance(segment.at, int) else sought


def _key(hashed: str, text: str) -> str:
    """Return 128 bits that tell texts apart, given one hash of them.

    The other hash is not of the same bytes but of bytes that are shifted against it: texts that meet in one do not meet in
    the other. MD5 takes five times as long.
    """
    return f"({hashed}::UHUGEINT << 64) | hash('key: ' || {text})"


def _either(name: str, path: str) -> str:
    """Return the field as it was read by position, or from the record that was parsed."""
    read, parsed = name, f"r.{path}"
    if name in TEXTS:
        read = f"CASE WHEN escaped THEN replace({name}, '\\\"', '\"') ELSE {name} END"
    elif name == TIME:
        parsed = f"epoch(try_cast({parsed} AS TIMESTAMPTZ))"
    return f"CASE WHEN line IS NULL THEN {read} ELSE {parsed} END AS {name}"


def _decoded(side: str) -> str:
    """Return the text of one side; bytes that are no text stay in base64, so that they can still be compared."""
    return f"CASE WHEN {side}_encoding = '{BASE64}' THEN coalesce(try(decode(from_base64({side}))), {side}) ELSE {side} END"
