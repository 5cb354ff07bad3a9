"""Rows go out byte for byte; what is no row is counted and named."""

from __future__ import annotations

import gzip
import itertools
import json
import tracemalloc
from pathlib import Path

import pytest

from include.replay.request import Request
from include.replay.source import Files, Report, Rows, cycled, repeated, share
from include.rollout.errors import ReplayError


def csv(where: Path | bytes, **options: object) -> Rows:
    return Rows(where=where, content_type="text/csv", **options)  # type: ignore[arg-type]


def bodies(requests: object) -> list[bytes]:
    return [request.body for request in requests]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "data",
    [b"1,2\n3,4\n", b"1,2\r\n3,4\r\n", b"1,2\n\n3,4", b"a,b\n1,2\n3,4"],
    ids=["unix", "dos", "empty line and no end", "header"],
)
def test_each_row_is_a_body_without_its_line_end(data: bytes) -> None:
    assert bodies(csv(data, header=data.startswith(b"a"))) == [b"1,2", b"3,4"]


def test_bytes_are_left_as_they_are() -> None:
    row = '  1.50 ,"a ""b"", c",\xe9é '.encode()
    assert bodies(csv(row)) == [row]


def test_gzip_is_recognised_whatever_the_name(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(gzip.compress(b"1\n2\n"))
    assert bodies(csv(tmp_path / "rows.csv")) == [b"1", b"2"]


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_bytes(b"x\n3\n")
    (tmp_path / "a.csv").write_bytes(b"x\n1\n2\n")
    assert bodies(csv(tmp_path, header=True)) == [b"1", b"2", b"3"]


def test_json_lines_are_json_each() -> None:
    report = Report(limit=0.5)
    rows = Rows(where=b'{"a": 1}\n{"a": \n[2]\n', content_type="application/json", report=report)
    assert bodies(rows) == [b'{"a": 1}', b"[2]"]
    assert (report.read, report.bad) == (3, 1)
    assert report.examples[0].startswith("<bytes>:2: the row is not JSON")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [(b"1,2,3", "3 columns where the first has 2"), (b"1,\0", "NUL"), (b'1,"a', "quoted field")],
    ids=["columns", "nul", "quote"],
)
def test_a_bad_row_is_counted_with_file_line_and_reason(tmp_path: Path, bad: bytes, reason: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"1,2\n" * 3 + bad + b"\n1,2\n")
    report = Report(limit=0.5)
    assert len(bodies(csv(path, report=report))) == 4
    assert report.bad == 1
    assert report.examples[0].startswith(f"{path}:4: ")
    assert reason in report.examples[0]


def test_one_percent_of_garbage_in_a_long_source_is_counted_exactly(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    with path.open("wb") as file:
        for i in range(20_000):
            file.write(b"\0\xff garbage\n" if i % 100 == 99 else b"%d,2\n" % i)
    report = Report(limit=0.02)
    assert sum(1 for _ in csv(path, report=report)) == 19_800
    assert (report.read, report.bad, len(report.examples)) == (20_000, 200, 20)


def test_too_large_a_share_of_bad_rows_ends_the_reading() -> None:
    with pytest.raises(ReplayError, match=r"of 2\d\d records are bad and at most 1.00%"):
        bodies(csv(b"1,2\n" * 197 + b"1\n" * 10_000))


def test_a_short_source_is_judged_at_its_end() -> None:
    with pytest.raises(ReplayError, match="1 of 2 records are bad"):
        bodies(csv(b"1,2\n1\n"))


def test_a_source_without_rows_and_one_that_is_not_there_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="no record that can be sent"):
        bodies(csv(b"\n\n"))
    with pytest.raises(ReplayError, match="does not exist"):
        bodies(csv(tmp_path / "absent.csv"))


def test_memory_does_not_grow_with_the_source(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes((b"1234567890," * 20 + b"1\n") * 100_000)  # 22 MB
    tracemalloc.start()
    count = sum(1 for _ in csv(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 100_000
    assert peak < 6_000_000


def test_a_line_longer_than_any_body_is_bad_and_not_kept() -> None:
    report = Report(limit=0.9)
    assert bodies(csv(b"1\n" + b"x" * 14_000_000 + b"\n2\n", report=report)) == [b"1", b"2"]
    assert report.bad == 1


def test_rows_can_be_repeated_cycled_and_shared() -> None:
    rows = [Request(body=str(i).encode()) for i in range(5)]
    assert bodies(repeated(rows[:2], 2)) == [b"0", b"0", b"1", b"1"]
    assert bodies(itertools.islice(cycled(rows), 7))[4:] == [b"4", b"0", b"1"]
    shards = [bodies(share(rows, shard, 2)) for shard in range(2)]
    assert shards == [[b"0", b"2", b"4"], [b"1", b"3"]]
    assert json.dumps(sorted(int(b) for part in shards for b in part)) == "[0, 1, 2, 3, 4]"


def test_a_folder_can_hold_one_request_a_file(tmp_path: Path) -> None:
    (tmp_path / "2.png").write_bytes(b"\x89PNG\n\n2")
    (tmp_path / "1.png").write_bytes(b"\x89PNG\n\n1")
    (tmp_path / "0.png").write_bytes(b"")
    report = Report(limit=0.5)
    images = Files(where=tmp_path, content_type="image/png", report=report)
    assert bodies(images) == [b"\x89PNG\n\n1", b"\x89PNG\n\n2"]
    assert report.examples == [f"{tmp_path}/0.png:1: the file is empty"]


def test_bad_rows_count_once_however_often_the_source_is_cycled() -> None:
    report = Report(limit=0.5)
    rows = csv(b"1,2\n1\n3,4\n", report=report)
    assert bodies(itertools.islice(cycled(rows), 5)) == [b"1,2", b"3,4", b"1,2", b"3,4", b"1,2"]
    assert (report.read, report.bad) == (3, 1)
