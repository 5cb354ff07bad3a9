"""Captures of both variants, joined and compared: one call from files to pairs."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from include.pairs import counting, joining
from include.pairs.documents import Documents
from include.pairs.folder import Folder
from include.pairs.outputs import CSV_COLUMN, JSON_COMPARISON
from include.pairs.predictions import predictions
from include.pairs.records import Records
from include.rollout.comparison import Output, PairsSection
from include.rollout.errors import EvidenceError
from include.rollout.pairs import Pairs

MEMORY = "88MB"  # of the join; what does not fit is spilled to disk
THREADS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One of `count` equal parts of all requests, told apart by their inputs; born valid."""

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise ValueError(f"shard {self.index} of {self.count}; it must be at least 0 and below the count")


def collect(
    production: Folder,
    shadow: Folder,
    terms: PairsSection,
    *,
    begin: datetime,
    end: datetime,
    period: int,
    shard: Shard | None = None,
    sample: bool = False,
    margins: Iterable[float] = (),
) -> Pairs:
    """Return the pairs of the requests that production answered in [begin, end), counted by periods of `period` s.

    Files are streamed, nothing but outputs, segments and hashes of inputs is kept, and what outgrows the memory limit
    is spilled to a folder that is gone afterwards. The pairs of all shards add up to the whole, exactly and in any order.
    With `sample` some of the answers themselves come with the counts. `margins` are those that times which containers
    report are held against.
    Captures appear minutes after the requests: what is not there yet is counted as unmatched, never guessed.
    Raises EvidenceError where captures cannot be listed or read, or the terms name a place that cannot be.
    """
    part = shard or Shard()
    span = joining.Span(
        begin=begin.timestamp(), end=end.timestamp(), slack=terms.slack, shard=part.index, shards=part.count
    )
    if not span.end > span.begin:
        return Pairs(period=period)
    with tempfile.TemporaryDirectory(prefix="penumbra-pairs-") as spill:
        connection = _connect(Path(spill))
        try:
            _teach(connection, terms)
            _read(connection, {"production": production, "shadow": shadow}, terms, span, begin, end)
            connection.execute(f"SET threads = {THREADS}")
            joining.join(connection, terms)
            # each thread that groups keeps blocks that cannot be spilled, and a comparison of documents is for one thread
            connection.execute("SET threads = 1")
            counted = counting.count(connection, terms, span, period, margins)
            return replace(counted, predictions=predictions(connection, span)) if sample else counted
        except duckdb.OutOfMemoryException as error:
            raise EvidenceError(
                f"the captures in {production} and {shadow} outgrow the {MEMORY} of the join; capture a smaller "
                "percentage, or shorten the window."
            ) from error
        except duckdb.Error as error:
            raise EvidenceError(
                f"the captures in {production} and {shadow} could not be compared ({str(error).splitlines()[0]}); "
                "check the paths and columns of the pairs section."
            ) from error
        finally:
            connection.close()


def _connect(spill: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(
        str(spill / "pairs.db"),  # of a database in memory, small columns are never spilled
        config={
            "memory_limit": MEMORY,
            "force_compression": "uncompressed",  # compressing takes as long as the join
            "threads": 1,  # the two variants are read at the same time
            "temp_directory": str(spill / "spill"),
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "TimeZone": "UTC",  # of a time that names none
        },
    )


def _teach(connection: duckdb.DuckDBPyConnection, terms: PairsSection) -> None:
    """Add the functions that SQL has not got; a function that the terms do not need is not added."""
    if terms.output is Output.JSON:
        compare: Any = Documents(terms).compare
        connection.create_function(
            JSON_COMPARISON, compare, ["VARCHAR", "VARCHAR"], "DOUBLE[]", side_effects=False
        )
    if any(isinstance(segment.at, int) for segment in terms.segments):
        column: Any = _csv_column
        connection.create_function(CSV_COLUMN, column, ["VARCHAR", "INTEGER"], "VARCHAR", side_effects=False)


def _csv_column(text: str, index: int) -> str:
    try:
        cells = next(csv.reader(text.splitlines(keepends=True)), [])
    except csv.Error:
        return ""
    return cells[index] if index < len(cells) else ""


def _read(
    connection: duckdb.DuckDBPyConnection,
    folders: Mapping[str, Folder],
    terms: PairsSection,
    span: joining.Span,
    begin: datetime,
    end: datetime,
) -> None:
    """Read both variants' captures at the same time, each into its table."""
    with ThreadPoolExecutor(max_workers=len(folders), thread_name_prefix="pairs") as sides:
        tables = [
            sides.submit(_stage, connection.cursor(), side, folder, terms, span, begin, end)
            for side, folder in folders.items()
        ]
        for table in tables:
            table.result()


def _stage(
    connection: duckdb.DuckDBPyConnection,
    side: str,
    folder: Folder,
    terms: PairsSection,
    span: joining.Span,
    begin: datetime,
    end: datetime,
) -> None:
    """Read one variant's captures into a table, over a connection of its own.

    An error of reading is raised as it is, not as the database's.
    """
    failures: list[EvidenceError] = []

    records = Records(joining.columns(side, terms))

    def read() -> Iterator[pa.RecordBatch]:
        try:
            yield from records.batches(folder.read(folder.files(begin, end)))
        except EvidenceError as error:
            failures.append(error)
            raise

    reader = pa.RecordBatchReader.from_batches(records.schema, read())
    connection.register("records", reader)
    try:
        connection.execute(joining.staged(side, terms, span)).fetchall()
    except duckdb.Error:
        if failures:
            raise failures[0] from None
        raise
    finally:
        connection.close()
