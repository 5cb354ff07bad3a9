"""Captures become the requests they recorded; what is none is counted and named."""

from __future__ import annotations

import base64
import gzip
import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import MemoryStore

from include.replay.captures import Captures, captured
from include.replay.reading import Objects
from include.replay.source import Report
from include.rollout.errors import ReplayError

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()


def record(
    data: bytes = b"1,2",
    *,
    at: float = NOON,
    encoding: str = "CSV",
    content_type: str | None = "text/csv",
    name: str | None = None,
) -> bytes:
    text = base64.b64encode(data).decode() if encoding == "BASE64" else data.decode()
    given = {"observedContentType": content_type, "mode": "INPUT", "data": text, "encoding": encoding}
    metadata = {
        "eventId": "e",
        "inferenceTime": datetime.fromtimestamp(at, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    if name is not None:
        metadata["inferenceId"] = name
    if content_type is None:
        del given["observedContentType"]
    output = {"observedContentType": "text/csv", "mode": "OUTPUT", "data": "0.5", "encoding": "CSV"}
    return json.dumps(
        {
            "captureData": {"endpointInput": given, "endpointOutput": output},
            "eventMetadata": metadata,
            "eventVersion": "0",
        }
    ).encode()


def tree(files: dict[str, list[bytes]]) -> Objects:
    store = MemoryStore()
    for key, records in files.items():
        obstore.put(store, f"cap/churn/AllTraffic/{key}", b"\n".join(records) + b"\n")
    return Objects(store=store, prefix="cap/churn/AllTraffic", name="s3://b")


@pytest.mark.parametrize(
    ("line", "body", "content_type"),
    [
        (record(b"1,2"), b"1,2", "text/csv"),
        (
            record(b'{"a": 1}', encoding="JSON", content_type="application/json"),
            b'{"a": 1}',
            "application/json",
        ),
        (
            record(b"\x00\xff", encoding="BASE64", content_type="application/x-npy"),
            b"\x00\xff",
            "application/x-npy",
        ),
        (record(b"1", content_type=None), b"1", "text/csv"),
        (
            record("é\n2".encode(), content_type="text/csv; charset=utf-8"),
            "é\n2".encode(),
            "text/csv; charset=utf-8",
        ),
    ],
    ids=["csv", "json", "base64", "no content type", "two lines and a charset"],
)
def test_a_body_and_its_content_type_come_back_byte_for_byte(
    line: bytes, body: bytes, content_type: str
) -> None:
    request = captured(line)
    assert (request.body, request.content_type, request.recorded) == (body, content_type, NOON)


def broken(**changes: Any) -> bytes:
    whole = json.loads(record())
    for path, value in changes.items():
        outer, inner = path.split("__")
        target = whole["captureData"] if outer in whole["captureData"] else whole
        if value is None:
            del target[outer][inner]
        else:
            target[outer][inner] = value
    return json.dumps(whole).encode()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (record()[:-20], "cut off"),
        (b"garbage \xff\x00", "not JSON"),
        (b"[1, 2]", "captureData"),
        (broken(captureData__endpointInput=None), "captureData.endpointInput"),
        (broken(eventMetadata__inferenceTime=None), "eventMetadata.inferenceTime"),
        (broken(eventMetadata__inferenceTime="yesterday"), "no time"),
        (broken(endpointInput__encoding="ROT13"), "ROT13"),
        (broken(endpointInput__encoding="BASE64"), "decoded"),
        (broken(endpointInput__data=17), "text as data"),
        (broken(endpointInput__observedContentType="a\r\nb: c"), "printable"),
    ],
    ids=[
        "cut",
        "garbage",
        "list",
        "no input",
        "no time",
        "odd time",
        "encoding",
        "base64",
        "number",
        "injection",
    ],
)
def test_a_record_that_holds_no_request_says_why(line: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        captured(line)


def test_our_own_replays_are_left_out_and_requests_without_a_name_are_not() -> None:
    place = tree(
        {
            "2026/03/01/12/a.jsonl": [
                record(b"1"),
                record(b"2", name="pen-aaaabbbbcccc-0-17"),
                record(b"3", name="caller-5"),
            ]
        }
    )
    captures = Captures(where=place)
    assert [(r.body, r.origin) for r in captures] == [(b"1", ""), (b"3", "caller-5")]
    assert (captures.report.read, captures.report.own) == (2, 1)


def test_the_time_range_holds_to_the_microsecond_and_far_hours_are_not_even_read() -> None:
    place = tree(
        {
            "2026/03/01/09/a.jsonl": [b"never read, or it would be bad"],
            "2026/03/01/11/a.jsonl": [record(b"early", at=NOON - 0.000001)],
            "2026/03/01/12/a.jsonl": [record(b"first", at=NOON), record(b"last", at=NOON + 59.999999)],
            "2026/03/01/12/b.jsonl": [record(b"after", at=NOON + 60)],
            "2026/03/01/15/a.jsonl": [b"never read either"],
        }
    )
    captures = Captures(where=place, since=NOON, until=NOON + 60)
    assert [request.body for request in captures] == [b"first", b"last"]
    assert (captures.report.outside, captures.report.bad) == (2, 0)


def test_records_of_several_files_are_put_in_order() -> None:
    order = list(range(300))
    random.Random(5).shuffle(order)
    files = {
        f"2026/03/01/12/{part}.jsonl": [record(b"%d" % i, at=NOON + i) for i in order[part::3]]
        for part in range(3)
    }
    captures = Captures(where=tree(files))
    assert [int(request.body) for request in captures] == list(range(300))
    assert captures.report.late == 0


def test_what_comes_too_late_to_be_put_in_order_is_sent_and_counted() -> None:
    times = [10, 11, 12, 13, 0, 14]
    place = tree({"2026/03/01/12/a.jsonl": [record(b"%d" % t, at=NOON + t) for t in times]})
    captures = Captures(where=place, reorder=2)
    assert [int(request.body) for request in captures] == [10, 11, 0, 12, 13, 14]
    assert captures.report.late == 1


def test_a_truncated_last_line_and_garbage_are_counted_with_file_and_line() -> None:
    place = tree({"2026/03/01/12/a.jsonl": [record(b"1"), b"garbage", record(b"2"), record(b"3")[:50]]})
    captures = Captures(where=place, report=Report(limit=0.6))
    assert [request.body for request in captures] == [b"1", b"2"]
    assert captures.report.bad == 2
    assert captures.report.examples[0].startswith("s3://b/cap/churn/AllTraffic/2026/03/01/12/a.jsonl:2: ")
    assert "cut off" in captures.report.examples[1]


def test_two_variants_at_once_are_refused() -> None:
    store = MemoryStore()
    for variant in ("AllTraffic", "Shadow-01"):
        obstore.put(store, f"cap/churn/{variant}/2026/03/01/12/a.jsonl", record())
    with pytest.raises(ReplayError, match=r"'AllTraffic' and 'Shadow-01'; name the folder of one variant"):
        list(Captures(where=Objects(store=store, prefix="cap/churn", name="s3://b")))


def test_a_tree_on_disk_with_gzip_is_read_and_other_files_are_not(tmp_path: Path) -> None:
    hour = tmp_path / "2026" / "03" / "01" / "12"
    hour.mkdir(parents=True)
    (hour / "a.jsonl.gz").write_bytes(
        gzip.compress(record(b"1") + b"\n") + gzip.compress(record(b"2") + b"\n")
    )
    (hour / "_SUCCESS").write_bytes(b"no capture")
    assert [request.body for request in Captures(where=tmp_path)] == [b"1", b"2"]


def test_one_capture_file_can_be_named_alone(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(record(b"1"))
    assert [request.body for request in Captures(where=tmp_path / "a.jsonl")] == [b"1"]


def test_a_tree_with_nothing_to_send_says_what_was_left_out() -> None:
    place = tree({"2026/03/01/12/a.jsonl": [record(name="pen-aaaabbbbcccc-0-1")]})
    with pytest.raises(ReplayError, match="1 of our own and 0 outside"):
        list(Captures(where=place))


def test_a_second_reading_gives_the_same_and_counts_nothing_twice() -> None:
    captures = Captures(where=tree({"2026/03/01/12/a.jsonl": [record(b"1"), record(b"2")]}))
    assert list(captures) == list(captures)
    assert captures.report.read == 2
