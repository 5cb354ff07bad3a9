"""The charts' rows: what the ticks told, overlaid with what was read at the end."""

from types import MappingProxyType

from include.ledger.objects import Kind
from include.ledger.reader import Record
from include.report.series import crossing, evidence_of, rows, rows_of
from tests.unit.report import ledgers


def record_of(objects):
    return Record(rollout_id="a" * 12, objects=MappingProxyType(objects))


def period(start, requests, **latency):
    return {"start": start, "invocations": requests, "errors": {}, "latency": latency}


def tick(end, requests):
    start = f"2026-03-01T12:00:{int(end[-3:-1]) - 10:02d}Z"
    return {"end": end, "production": {"period": period(start, requests)}, "shadow": {"period": None}}


def test_a_reading_counts_where_a_tick_told_the_same_period():
    found = rows(
        record_of(
            {
                "tick/2026-03-01T12:00:10Z": tick("2026-03-01T12:00:10Z", 5.0),
                "tick/2026-03-01T12:00:20Z": tick("2026-03-01T12:00:20Z", 6.0),
                f"{Kind.EVIDENCE}/1": {
                    "production": [period("2026-03-01T12:00:00Z", 7.0, p50=1500.0)],
                    "shadow": [],
                },
            }
        )
    )
    assert [(row["start"], row["production"]["requests"]) for row in found] == [
        ("2026-03-01T12:00:00Z", 7.0),
        ("2026-03-01T12:00:10Z", 6.0),
    ]
    assert found[0]["production"]["p50"] == 1.5
    assert found[0]["shadow"] is None


def test_a_tick_that_tells_all_its_periods_leaves_no_gap():
    told = {"periods": [period("2026-03-01T12:00:00Z", 1.0), period("2026-03-01T12:00:10Z", 2.0)]}
    assert [row["production"]["requests"] for row in rows_of([{"production": told}])] == [1.0, 2.0]


def test_errors_are_zero_where_there_were_requests_and_unknown_where_not():
    silent = {"production": {"period": period("2026-03-01T12:00:00Z", None)}}
    busy = {"production": {"period": period("2026-03-01T12:00:00Z", 4.0)}}
    assert rows_of([silent])[0]["production"]["errors"] is None
    assert rows_of([silent])[0]["production"]["error_rate"] is None
    assert rows_of([busy])[0]["production"]["error_rate"] == 0.0


def test_the_first_crossing_is_the_first(recorded):
    evidence = evidence_of(recorded(ledgers.rolled_back).ticks)
    assert crossing(evidence) == evidence[2]
    assert crossing(evidence_of(recorded(ledgers.running).ticks)) is None
