"""Two variants' captures become pairs, and every record is accounted for."""

import json
from dataclasses import fields
from functools import reduce
from operator import add

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from obstore.store import LocalStore

from include.ledger.store import Credentials, StoreAccess
from include.pairs.collect import Shard, collect
from include.pairs.folder import File, Folder
from include.rollout.comparison import PairsSection
from include.rollout.errors import EvidenceError
from include.rollout.pairs import Pairs, Records
from tests.unit.pairs.conftest import BEGIN, END, record


def accounted(records: Records) -> int:
    return sum(getattr(records, f.name) for f in fields(Records) if f.name not in {"read", "named"})


def test_pairs_are_joined_on_the_inference_id_whatever_the_order(pairs):
    production = [record(f"{i}", id=f"r{i}", input=f"{i}") for i in range(10)]
    shadow = [record(f"{i + (i == 3)}", id=f"r{i}", input=f"{i}") for i in reversed(range(10))]
    found = pairs(production, shadow)
    assert (found.all.n, found.all.flips, found.all.same) == (10, 1, 9)
    assert found.all.difference.mean == pytest.approx(0.1)
    assert found.production == found.shadow == Records(read=10, matched=10, named=10)


def test_without_ids_the_kth_of_equal_inputs_is_joined_with_the_kth(pairs):
    production = [record("1", input="a", second=i) for i in range(3)] + [record("2", input="b")]
    shadow = [record(value, input="a", second=i) for i, value in enumerate(("1", "1", "5"))]
    found = pairs(production, shadow)
    assert (found.all.n, found.all.flips) == (3, 1)
    assert (found.production.unmatched, found.shadow.unmatched) == (1, 0)
    assert found.inputs_squared == 9
    assert found.repetition == 3


def test_the_same_bytes_of_another_content_type_are_another_request(pairs):
    found = pairs([record("1", type="text/csv")], [record("1", type="application/json")])
    assert found.all.n == 0
    assert (found.production.unmatched, found.shadow.unmatched) == (1, 1)


def test_join_input_pairs_variants_of_which_only_one_records_ids(pairs):
    production, shadow = [record("1", id="a")], [record("1")]
    assert pairs(production, shadow).all.n == 0
    assert pairs(production, shadow, join="input").all.n == 1


def test_what_is_delivered_twice_counts_once(pairs):
    found = pairs(
        [record("1", id="a", event="x"), record("1", id="a", event="x")], [record("1", id="a", event="y")]
    )
    assert found.all.n == 1
    assert found.production == Records(read=2, repeated=1, matched=1, named=2)


def test_records_without_an_event_are_told_apart_by_their_time_and_answer(pairs):
    """What was answered at another time was not delivered twice."""

    def unnamed(second: float) -> bytes:
        document = json.loads(record("1", input="a", second=second))
        del document["eventMetadata"]["eventId"]
        return json.dumps(document).encode()

    twice = [unnamed(0), unnamed(0), unnamed(1)]
    found = pairs(twice, twice)
    assert found.production == found.shadow == Records(read=3, repeated=1, matched=2)


def test_an_id_of_several_requests_pairs_nothing(pairs):
    found = pairs([record("1", id="a"), record("2", id="a")], [record("1", id="a")])
    assert found.all.n == 0
    assert found.production == Records(read=2, ambiguous=2, named=2)
    assert found.shadow == Records(read=1, unmatched=1, named=1)


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"nothing",
        b"[]",
        b"\xff\xfe{}",
        b"{}",
        b'{"captureData": 1, "eventMetadata": 2}',
        b'{"captureData":{"endpointInput":{"data":"1"}},"eventMetadata":{"inferenceTime":"yesterday"}}',
        b'{"eventMetadata":{"inferenceTime":"2026-03-01T12:00:00Z"}}',
    ],
)
def test_a_malformed_line_is_counted_and_harms_no_other(pairs, line):
    found = pairs(
        [record("1", id="a"), line, record("2", id="b")], [record("1", id="a"), record("2", id="b")]
    )
    assert found.all.n == 2
    assert found.production == Records(read=3, malformed=1, matched=2, named=2)


def test_a_window_takes_the_requests_that_production_answered_in_it(pairs):
    """At its edges the variants' clocks fall on either side; what belongs to a neighbouring window is nobody's loss."""
    production = [
        record("1", id=name, second=second)
        for name, second in (("before", -1), ("first", 0), ("last", 599), ("after", 600))
    ]
    shadow = [
        record("1", id=name, second=second)
        for name, second in (("before", 1), ("first", 0), ("last", 601), ("after", 601))
    ]
    found = pairs(production, shadow)
    assert found.all.n == 2
    assert found.production == Records(read=4, outside=2, matched=2, named=4)
    assert found.shadow == Records(read=4, outside=2, matched=2, named=4)
    assert sorted(found.periods) == [BEGIN.timestamp(), BEGIN.timestamp() + 540]


@pytest.mark.parametrize(
    "time", ["2026-03-01T14:00:05+02:00", "2026-03-01T12:00:05.250Z", "2026-03-01T12:00:05"]
)
def test_a_time_is_read_with_its_zone_and_means_utc_without_one(pairs, time):
    line = record("1", id="a", second=5)
    assert b"2026-03-01T12:00:05Z" in line
    found = pairs([line.replace(b"2026-03-01T12:00:05Z", time.encode())], [line])
    assert found.all.n == 1


def test_a_pair_too_far_apart_is_late_and_not_compared(pairs):
    found = pairs([record("1", id="a", second=0)], [record("9", id="a", second=300)])
    assert found.all.n == 0
    assert (found.production.late, found.shadow.late) == (1, 1)


def test_text_in_base64_is_read_as_text(pairs):
    production = [record("0.5\n", id="a", encoding="BASE64")]
    found = pairs(production, [record("0.7", id="a", encoding="CSV")])
    assert found.all.difference.mean == pytest.approx(0.2)


def test_pairs_and_flips_are_counted_by_production_s_period(pairs):
    production = [record("1", id=f"{i}", second=30 * i) for i in range(6)]
    shadow = [record("1" if i < 4 else "2", id=f"{i}", second=30 * i) for i in range(6)]
    start = int(BEGIN.timestamp())
    assert pairs(production, shadow).periods == {start: (2, 0), start + 60: (2, 0), start + 120: (2, 2)}


def test_a_regression_hidden_in_one_segment_shows_there(pairs):
    def lines(wrong: bool) -> list[bytes]:
        return [
            record(
                "0" if wrong and i % 20 == 7 else "1", id=f"{i}", input=f"{i},{'xl' if i % 20 == 7 else 's'}"
            )
            for i in range(200)
        ]

    found = pairs(lines(False), lines(True), segments=[{"name": "size", "at": 1}])
    assert found.all.flips == 10
    assert {value: (t.n, t.flips) for value, t in found.segments["size"].items()} == {
        "xl": (10, 10),
        "s": (190, 0),
    }


def test_segments_are_intervals_of_numbers_quoted_columns_or_json_paths(pairs):
    lines = [
        record("1", id="a", input='"Smith, Jane",15'),
        record("1", id="b", input='"Roe",25'),
        record("1", id="c", input="Doe,none\nSmith,35"),
        record("1", id="d", input='{"plan": {"name": "gold"}}'),
    ]
    found = pairs(
        lines,
        lines,
        segments=[
            {"name": "age", "at": 1, "edges": [20, 30]},
            {"name": "who", "at": 0},
            {"name": "plan", "at": "$.plan.name"},
        ],
    )
    assert {v: t.n for v, t in found.segments["age"].items()} == {"below 20": 1, "20 to 30": 1, "(none)": 2}
    assert set(found.segments["who"]) >= {"Smith, Jane", "Roe", "Doe"}
    assert {v: t.n for v, t in found.segments["plan"].items()} == {"gold": 1, "(none)": 3}


def test_a_segment_of_too_many_values_is_named_and_not_told_apart(pairs):
    lines = [record("1", id=f"{i}", input=f"{i}") for i in range(65)]
    found = pairs(lines, lines, segments=[{"name": "customer", "at": 0}])
    assert found.scattered == {"customer"}
    assert found.segments == {}


def test_latency_is_paired_where_the_container_tells_its_own(pairs):
    production = [record({"score": 1, "ms": 10.0 + i}, id=f"{i}") for i in range(5)]
    shadow = [record({"score": 1, "ms": 2 * (10.0 + i)}, id=f"{i}") for i in range(5)]
    found = pairs(production, shadow, output="json", latency="$.ms")
    assert found.all.flips == 0
    assert found.latency.n == 5
    assert found.latency.mean == pytest.approx(0.6931, abs=1e-4)
    assert found.latency_ratios.quantile(0.5) == pytest.approx(2, rel=0.01)


def test_nothing_captured_is_no_pairs(pairs):
    assert pairs([], []) == Pairs(period=60, outputs=pairs([], []).outputs, levels=pairs([], []).levels)
    assert pairs([], []).all.n == 0
    assert pairs([record("1")], [record("1")], end=BEGIN) == Pairs(period=60)


def test_a_folder_that_is_not_there_is_empty(tmp_path):
    folder = Folder(store=LocalStore(tmp_path), prefix="none")
    assert collect(folder, folder, PairsSection(), begin=BEGIN, end=END, period=60).all.n == 0


def test_a_capture_that_cannot_be_read_is_an_error_that_names_it(tmp_path):
    """It was listed and is gone: what is left would be judged as if it were all."""

    class Emptied(Folder):
        def files(self, begin, end):
            return [File(key="captures/gone.jsonl", size=10)]

    folder = Emptied(store=LocalStore(tmp_path), prefix="captures")
    with pytest.raises(EvidenceError, match=r"gone\.jsonl cannot be read .* check s3:GetObject"):
        collect(folder, folder, PairsSection(), begin=BEGIN, end=END, period=60)


def test_a_store_that_cannot_be_reached_is_an_error_that_says_what_to_check():
    nowhere = StoreAccess(
        region="us-east-1",
        endpoint_url="http://127.0.0.1:9",
        credentials=lambda: Credentials(access_key="local", secret_key="local"),
    )
    folder = Folder.of("s3://captures/here/", "churn", "production", nowhere)
    assert str(folder) == "s3://captures/here/churn/production"
    with pytest.raises(EvidenceError, match=r"cannot be listed .* check capture\.destination"):
        collect(folder, folder, PairsSection(), begin=BEGIN, end=END, period=60)


def test_a_path_that_cannot_be_is_refused_in_a_sentence(pairs):
    with pytest.raises(EvidenceError, match="check the paths and columns"):
        pairs([record("{}", id="a")], [record("{}", id="a")], output="json", at="$[[")


@pytest.mark.parametrize(("index", "count"), [(-1, 2), (2, 2), (0, 0)])
def test_a_shard_is_one_of_its_count(index, count):
    with pytest.raises(ValueError, match="below the count"):
        Shard(index=index, count=count)


def test_the_shards_add_up_to_the_whole_in_any_order(pairs):
    production = [record(f"{i % 7}", input=f"{i % 40},x", second=i) for i in range(300)] + [b"{", b"{}"]
    shadow = [record(f"{i % 5}", input=f"{i % 40},x", second=i + 1) for i in range(295)]
    terms = {"segments": [{"name": "x", "at": 0}], "files": 3}
    whole = pairs(production, shadow, **terms)
    parts = [pairs(production, shadow, shard=Shard(index=i, count=3), **terms) for i in range(3)]
    assert all(part.all.n for part in parts)
    assert reduce(add, parts) == reduce(add, reversed(parts)) == whole
    assert Pairs.from_document(whole.to_document()) == whole


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    production=st.lists(st.tuples(st.integers(0, 4), st.integers(-90, 700), st.booleans()), max_size=12),
    shadow=st.lists(st.tuples(st.integers(0, 4), st.integers(-90, 700), st.booleans()), max_size=12),
)
def test_every_record_is_accounted_for(pairs, production, shadow):
    def lines(given: list[tuple[int, int, bool]]) -> list[bytes]:
        return [
            record("1", id=f"{key}" if named else None, input=f"{key}", second=second)
            for key, second, named in given
        ]

    found = pairs(lines(production), lines(shadow))
    for records, lines_given in ((found.production, production), (found.shadow, shadow)):
        assert records.read == len(lines_given) == accounted(records)
    assert found.production.matched == found.shadow.matched == found.all.n + found.unreadable
    assert sum(n for n, _ in found.periods.values()) == found.all.n


def test_captures_that_outgrow_the_joins_memory_are_refused_with_a_way_out(pairs, monkeypatch):
    monkeypatch.setattr("include.pairs.collect.MEMORY", "1MB")
    rows = [record("1", id=f"{i}", input="x" * 100) for i in range(5000)]
    with pytest.raises(EvidenceError, match=r"outgrow the 1MB of the join; capture a smaller percentage"):
        pairs(rows, rows)
