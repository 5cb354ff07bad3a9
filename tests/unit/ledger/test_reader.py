"""Rollouts are listed newest first and read as values that nobody can change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include.ledger.objects import Kind, Ledger, tick_key
from include.ledger.reader import Reader, enrol
from include.rollout.errors import LedgerError
from include.rollout.names import rollout_id

NOW = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)


def opened(store, number):
    ledger = Ledger(store, rollout_id("dag", f"run {number}"))
    enrol(ledger, {"endpoint": f"churn-{number}"}, at=NOW + timedelta(minutes=number))
    return ledger


def test_rollouts_are_listed_newest_first_page_by_page(store):
    for number in (2, 0, 3, 1):
        opened(store, number)
    reader = Reader(store)
    assert [entry.about["endpoint"] for entry in reader.newest()] == [f"churn-{n}" for n in (3, 2, 1, 0)]
    first = reader.newest(3)
    assert [entry.opened for entry in first] == [NOW + timedelta(minutes=n) for n in (3, 2, 1)]
    assert [entry.about["endpoint"] for entry in reader.newest(3, after=first[-1].cursor)] == ["churn-0"]


def test_a_rollout_that_opens_again_stays_one_line_at_its_first_time(store):
    ledger = opened(store, 1)
    again = enrol(ledger, {"endpoint": "churn-1"}, at=NOW + timedelta(days=1))
    assert again["written_at"] == "2026-11-22T13:01:00Z"
    assert [entry.rollout_id for entry in Reader(store).newest()] == [ledger.rollout_id]


def test_an_opening_that_was_killed_half_way_is_completed_by_the_next(store):
    ledger = Ledger(store, rollout_id("dag", "run"))
    ledger.write(Kind.OPEN, {"endpoint": "churn"}, at=NOW)
    assert Reader(store).newest() == []
    enrol(ledger, {"endpoint": "churn"}, at=NOW + timedelta(minutes=9))
    assert [entry.opened for entry in Reader(store).newest()] == [NOW]


def test_the_list_tells_the_outcome_once_there_is_one(store):
    ledger = opened(store, 1)
    assert Reader(store).newest()[0].outcome is None
    ledger.write("outcome", {"outcome": "PROMOTED"})
    assert Reader(store).newest()[0].outcome["outcome"] == "PROMOTED"


def test_a_rollout_is_read_whole_and_cannot_be_changed(store):
    ledger = opened(store, 1)
    for n in (2, 1):
        ledger.write(tick_key(NOW + timedelta(minutes=n)), {"n": n})
    ledger.write("spec", {"endpoint": "churn"})
    ledger.write_page("report.html", b"<html>")
    record = Reader(store).rollout(ledger.rollout_id)
    assert record.opened == NOW + timedelta(minutes=1)
    assert [tick["n"] for tick in record.ticks] == [1, 2]
    assert list(record.all(Kind.TICK)) == ["2026-11-22T13:01:00Z", "2026-11-22T13:02:00Z"]
    assert record.get("spec")["endpoint"] == "churn"
    assert record.get("verdict") is None
    assert not record.is_over
    with pytest.raises(TypeError):
        record.objects["verdict"] = {}
    with pytest.raises(TypeError):
        record.get("spec")["endpoint"] = "another"
    assert Reader(store).report_page(ledger.rollout_id) == b"<html>"


def test_a_rollout_that_never_was_is_none(store):
    assert Reader(store).rollout(rollout_id("dag", "never")) is None
    with pytest.raises(LedgerError, match="not a rollout id"):
        Reader(store).rollout("../secrets")
