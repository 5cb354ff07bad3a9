"""Records are kept whole or as a sample, and what is lost is counted."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.parquet
import pytest
from numpy.typing import NDArray

from include.replay.records import OUTCOMES, Records, packed
from include.replay.tally import ANSWERED, KINDS, ROW, SHED
from include.rollout.errors import LedgerError


def table(first: int, last: int) -> NDArray[np.void]:
    rows = [(i, 1.5, 2.5, 3.5, 200, ANSWERED) for i in range(first, last)]
    return np.array(rows, dtype=ROW)


def read(file: bytes) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = pyarrow.parquet.read_table(io.BytesIO(file)).to_pydict()
    return found


class Shelf:
    def __init__(self, *, broken: bool = False) -> None:
        self.files: dict[int, bytes] = {}
        self.broken = broken

    def __call__(self, number: int, body: bytes) -> None:
        if self.broken:
            raise LedgerError("no store")
        self.files[number] = body

    def indices(self) -> list[int]:
        return [i for f in self.files.values() for i in read(f)["index"]]


def test_every_record_is_kept_in_its_columns() -> None:
    shelf = Shelf()
    records = Records(shelf, share=1, prefix="pen-x-")
    for first in range(0, 1000, 100):
        records(table(first, first + 100))
    records.close()
    assert shelf.indices() == list(range(1000))
    assert (records.kept, records.lost) == (1000, 0)


def test_a_row_reads_as_it_was_written() -> None:
    rows = np.array(
        [
            (7, 1.25, 1.5, 2.75, 200, ANSWERED),
            (8, 1.5, 2.5, 2.5, 0, SHED),
            *((9 + k, 3.0, 3.5, 4.0, 0, k) for k in range(len(KINDS))),
        ],
        dtype=ROW,
    )
    kept = read(packed(rows, "pen-x-0-"))
    for name in ("index", "scheduled", "sent", "ended", "status"):
        assert kept[name] == rows[name].tolist()
    assert kept["outcome"] == ["answered", "shed", *(kind.value for kind in KINDS)]
    assert set(kept["outcome"]) == set(OUTCOMES)
    assert set(kept["prefix"]) == {"pen-x-0-"}


def test_duckdb_reads_them_from_a_folder_with_their_inference_ids(tmp_path: Path) -> None:
    for number in range(2):
        rows = table(number * 10, number * 10 + 10)
        (tmp_path / f"records-{number:05d}.parquet").write_bytes(packed(rows, "pen-x-0-"))
    query = (
        f"select prefix || index, outcome, ended - scheduled from '{tmp_path}/*.parquet' order by index desc"
    )
    assert duckdb.sql(query).fetchall()[0] == ("pen-x-0-19", "answered", 2.0)


@pytest.mark.parametrize("share", [0.01, 0.25, 0.9])
def test_a_sample_has_its_share_and_is_the_same_again(share: float) -> None:
    found = []
    for step in (1000, 20_000):  # however the rows come
        shelf = Shelf()
        records = Records(shelf, share=share, prefix="")
        for first in range(0, 20_000, step):
            records(table(first, first + step))
        records.close()
        found.append(shelf.indices())
    assert found[0] == found[1]
    assert len(found[0]) == pytest.approx(20_000 * share, abs=3)


def test_copies_are_in_the_sample_together() -> None:
    shelf = Shelf()
    records = Records(shelf, share=0.3, prefix="", copies=2)
    records(table(0, 10_000))
    records.close()
    found = set(shelf.indices())
    assert found
    assert all(index ^ 1 in found for index in found)


def test_records_that_cannot_be_stored_are_counted() -> None:
    records = Records(Shelf(broken=True), share=1, prefix="")
    records(table(0, 50))
    records.close()
    assert (records.kept, records.lost) == (0, 50)


@pytest.mark.parametrize("share", [0, 1.1])
def test_a_share_that_cannot_be_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Records(Shelf(), share=share, prefix="")
