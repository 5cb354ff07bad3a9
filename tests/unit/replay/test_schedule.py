"""A section of the spec becomes what a shard sends and when."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from include.ledger.store import StoreAccess
from include.replay import schedule
from include.replay.captures import Captures
from include.replay.location import located
from include.replay.reading import Objects
from include.replay.request import Request
from include.replay.source import Files, Rows
from include.rollout.errors import ReplayError
from include.rollout.replay import ReplaySection

ROWS = b"".join(b"%d\n" % i for i in range(10))


def section(**given: Any) -> ReplaySection:
    return ReplaySection.model_validate({"source": "x", "rate": 100, **given})


def sent(asked: ReplaySection, shard: int = 0, place: bytes = ROWS) -> list[bytes]:
    read = schedule.source(asked, place)
    return [request.body for request in schedule.requests(asked, read, shard)]


def test_each_kind_is_read_as_what_it_is() -> None:
    assert isinstance(schedule.source(section(), b""), Rows)
    assert isinstance(schedule.source(section(kind="files"), b""), Files)
    captures = schedule.source(
        section(kind="captures", since="1970-01-01T00:01:00Z", until="1970-01-01T01:02:00+01:00"), b""
    )
    assert isinstance(captures, Captures)
    assert (captures.since, captures.until) == (60.0, 120.0)


def test_shards_share_what_is_sent_and_copies_stay_together() -> None:
    asked = section(shards=3, passes=2, copies=2)
    parts = [sent(asked, shard) for shard in range(3)]
    assert sum(map(len, parts)) == 40
    assert sorted(body for part in parts for body in part) == sorted(
        b"%d" % i for i in range(10) for _ in range(4)
    )
    assert all(part[::2] == part[1::2] for part in parts)


def test_without_passes_the_source_never_ends() -> None:
    asked = section()
    endless = schedule.requests(asked, schedule.source(asked, ROWS), 0)
    assert len(list(islice(endless, 35))) == 35


@pytest.mark.parametrize(("count", "expected"), [(None, [None] * 3), (3, [1, 1, 1]), (11, [4, 4, 3])])
def test_the_limits_of_all_shards_make_the_count(count: int | None, expected: list[int | None]) -> None:
    asked = section(count=count, shards=3)
    assert [schedule.limit(asked, shard) for shard in range(3)] == expected


@pytest.mark.parametrize(
    "given",
    [{}, {"pacer": "constant"}, {"pacer": "ramp", "ramp_seconds": 0.001}],
    ids=["poisson", "constant", "ramp"],
)
def test_all_shards_together_send_at_the_rate(given: dict[str, Any]) -> None:
    asked = section(shards=4, **given)
    request = Request(body=b"")
    offsets = [
        offset
        for shard in range(4)
        for offset, _ in schedule.pacer(asked, shard).schedule([request] * 5000)
        if offset < 100
    ]
    assert len(offsets) == pytest.approx(10_000, rel=0.05)


def test_shards_of_a_random_pacer_do_not_send_in_step() -> None:
    asked = section(shards=2)
    first, second = (
        [offset for offset, _ in schedule.pacer(asked, shard).schedule([Request(body=b"")] * 5)]
        for shard in range(2)
    )
    assert not set(first) & set(second)


def test_all_shards_of_a_recording_are_the_recording_with_its_copies() -> None:
    asked = section(kind="captures", pacer="recorded", speed=2, longest_gap=10, shards=2, copies=2)
    recording = [Request(body=b"%d" % i, recorded=at) for i, at in enumerate([0.0, 4.0, 104.0, 104.0])]
    parts = [
        [(offset, request.body) for offset, request in schedule.pacer(asked, shard).schedule(recording)]
        for shard in range(2)
    ]
    assert parts[0] == [(0.0, b"0"), (0.0, b"0"), (7.0, b"2"), (7.0, b"2")]
    assert parts[1] == [(2.0, b"1"), (2.0, b"1"), (7.0, b"3"), (7.0, b"3")]


def test_the_reserve_covers_seconds_of_sending_at_the_highest_rate() -> None:
    assert schedule.reserve(section(rate=1)) == 100
    assert schedule.reserve(section(rate=1000, shards=2)) == 2000
    ramp = section(pacer="ramp", rate=10, ramp_from=1000, ramp_seconds=5)
    assert schedule.reserve(ramp) == 4000


def test_a_key_that_is_missing_or_short_is_named_and_not_shown() -> None:
    asked = section(redaction={"rules": [{"column": 0, "action": "hash"}], "key": "K"}).redaction
    assert asked is not None
    with pytest.raises(ReplayError, match="K is not set"):
        schedule.redaction(asked, {})
    with pytest.raises(ReplayError, match="K has 6 bytes") as raised:
        schedule.redaction(asked, {"K": "secret"})
    assert "secret" not in str(raised.value).replace("to a secret of", "")
    found = schedule.redaction(asked, {"K": "0123456789abcdef"})
    assert found.body(b"1,2", "text/csv").endswith(b",2")


def test_what_cannot_be_redacted_counts_as_malformed_once() -> None:
    asked = section(redaction={"rules": [{"column": 1, "action": "drop"}]}, passes=3, malformed=0.5, rate=1)
    read = schedule.source(asked, b'1,2\n3,4\n"5"\n')
    assert [request.body for request in schedule.requests(asked, read, 0)] == [b"1", b"3"] * 3
    assert (read.report.read, read.report.bad) == (3, 1)


def test_a_source_in_s3_is_a_bucket_and_a_prefix() -> None:
    found = located("s3://bucket/churn/rows.csv", StoreAccess(region="eu-west-1"))
    assert isinstance(found, Objects)
    assert (found.prefix, found.name) == ("churn/rows.csv", "s3://bucket")


@pytest.mark.parametrize("location", ["s3://", "https://host/rows.csv"])
def test_another_kind_of_address_is_refused(location: str) -> None:
    with pytest.raises(ReplayError, match="s3://"):
        located(location, StoreAccess())


def test_a_source_is_looked_for_before_anything_is_sent(tmp_path: Path) -> None:
    hour = tmp_path / "2026" / "03" / "01" / "12"
    hour.mkdir(parents=True)
    (hour / "a.jsonl").write_text("{}")
    captures = section(source=str(tmp_path), kind="captures", since="2026-03-01T12:00:00Z")
    schedule.locate(captures, tmp_path)
    schedule.locate(section(), hour / "a.jsonl")
    later = captures.model_copy(update={"since": datetime(2026, 3, 2, tzinfo=UTC)})
    with pytest.raises(ReplayError, match="holds nothing of the time between since and until"):
        schedule.locate(later, tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReplayError, match=r"holds nothing; check the source and its kind \(files\)"):
        schedule.locate(section(kind="files"), tmp_path / "empty")
    with pytest.raises(ReplayError, match="does not exist"):
        schedule.locate(section(), tmp_path / "nowhere")
