"""Files are read ahead, unpacked and cut into lines exactly."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import obstore
import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstore.store import MemoryStore

from include.replay import reading
from include.replay.reading import Objects, ahead, files, lines, unpacked
from include.rollout.errors import ReplayError


@given(
    st.lists(st.binary(max_size=30).filter(lambda b: b"\n" not in b and b"\r" not in b)), st.integers(1, 7)
)
def test_lines_come_back_however_the_chunks_are_cut(rows: list[bytes], size: int) -> None:
    data = b"\n".join(rows)
    pieces: list[tuple[str, bytes | None]] = [("f", None)]
    pieces += [("f", data[i : i + size]) for i in range(0, len(data), size)]
    found = [line for _, _, line in reading.cut(pieces, 1000)]
    assert found == (rows[:-1] if rows and not rows[-1] else rows)


def test_lines_are_numbered_anew_in_each_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1\r\n2")
    (tmp_path / "b").write_bytes(b"\n3\n")
    found = [(Path(name).name, number, line) for name, number, line in lines(tmp_path, 100)]
    assert found == [("a", 1, b"1"), ("a", 2, b"2"), ("b", 1, b""), ("b", 2, b"3")]


@given(st.binary(max_size=300), st.binary(max_size=300), st.integers(1, 50))
def test_gzip_of_several_members_is_unpacked_however_it_is_cut(one: bytes, two: bytes, size: int) -> None:
    data = gzip.compress(one) + gzip.compress(two)
    chunks = [data[i : i + size] for i in range(0, len(data), size)]
    assert b"".join(unpacked(chunks)) == one + two


def test_what_is_not_gzip_is_left_as_it_is() -> None:
    assert b"".join(unpacked([b"\x1f", b"plain"])) == b"\x1fplain"
    assert list(unpacked([])) == []


def test_a_damaged_gzip_file_is_an_error_and_a_cut_one_gives_what_it_has() -> None:
    packed = gzip.compress(bytes(range(256)) * 100)
    with pytest.raises(ReplayError, match="damaged"):
        list(unpacked([packed[:30] + b"\xff\xff\xff" + packed[33:]]))
    assert (bytes(range(256)) * 100).startswith(b"".join(unpacked([packed[:-20]])))


def test_the_reader_runs_only_so_far_ahead_and_ends_when_nobody_listens() -> None:
    taken: list[int] = []

    def endless() -> Iterator[int]:
        while True:
            taken.append(1)
            yield 1

    before = threading.active_count()
    items = ahead(endless())
    next(items)
    time.sleep(0.1)
    assert len(taken) <= reading._AHEAD + 3
    items.close()  # type: ignore[attr-defined]
    for _ in range(100):
        if threading.active_count() <= before:
            break
        time.sleep(0.05)
    assert threading.active_count() <= before


def test_an_error_of_the_reader_comes_in_its_place() -> None:
    def breaks() -> Iterator[int]:
        yield 1
        raise ReplayError("gone")

    items = ahead(breaks())
    assert next(items) == 1
    with pytest.raises(ReplayError, match="gone"):
        next(items)


def test_a_prefix_is_a_folder_or_one_object() -> None:
    store = MemoryStore()
    for key in ("a/rows.csv", "a/rows.csv.old", "a/b/c.csv"):
        obstore.put(store, key, key.encode())
    assert [file.name for file in files(Objects(store=store, prefix="a"))] == [
        "a/b/c.csv",
        "a/rows.csv",
        "a/rows.csv.old",
    ]
    (alone,) = files(Objects(store=store, prefix="a/rows.csv", name="s3://b"))
    assert (alone.name, b"".join(alone.chunks())) == ("s3://b/a/rows.csv", b"a/rows.csv")


def test_an_object_that_went_away_is_an_error_in_one_sentence() -> None:
    store = MemoryStore()
    obstore.put(store, "a/x", b"1")
    (file,) = files(Objects(store=store, prefix="a", name="s3://b"))
    obstore.delete(store, "a/x")
    with pytest.raises(ReplayError, match=r"^s3://b/a/x cannot be read \(.*\); check name and permission$"):
        list(file.chunks())


def test_a_place_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ReplayError, match="does not exist"):
        list(files(Path("/nowhere/at/all")))
