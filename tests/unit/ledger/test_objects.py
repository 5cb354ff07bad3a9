"""A rollout's objects have names of the catalogue, are written once, and say their version."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from include.ledger.objects import (
    Kind,
    Ledger,
    content,
    deployment_key,
    digest,
    finding_key,
    kind_of,
    replay_key,
    tick_key,
)
from include.rollout.errors import LedgerError, MissingError

NOW = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)
ROLLOUT = "abcdefgh2345"


@pytest.fixture
def ledger(store):
    return Ledger(store, ROLLOUT)


def test_an_object_carries_its_version_its_kind_and_when_it_was_written(ledger):
    stored = ledger.write("report.json", {"verdict": "PROMOTE"}, at=NOW)
    assert stored == {
        "schema": 1,
        "kind": "report",
        "written_at": "2026-11-22T13:00:00Z",
        "verdict": "PROMOTE",
    }
    assert ledger.read("report.json") == ledger.require("report.json") == stored


def test_a_second_writer_reads_the_first_ones_object(ledger):
    first = ledger.write("verdict", {"verdict": "ROLL_BACK"}, at=NOW)
    assert ledger.write("verdict", {"verdict": "PROMOTE"}, at=NOW + timedelta(hours=1)) == first


def test_the_same_content_has_the_same_digest_whoever_wrote_it_and_when(ledger):
    one = ledger.write("evidence/final", {"n": 1}, at=NOW)
    other = ledger.write("evidence/again", {"n": 1}, at=NOW + timedelta(seconds=1))
    assert digest(content(one)) == digest(content(other)) == digest({"n": 1})


def test_ticks_come_in_the_order_of_their_periods(ledger):
    ends = [NOW + timedelta(seconds=10 * n) for n in (3, 1, 2, 12, 7)]
    for end in ends:
        ledger.write(tick_key(end), {"end": end})
    expected = [end.isoformat().replace("+00:00", "Z") for end in sorted(ends)]
    assert [tick["end"] for tick in ledger.ticks()] == expected
    assert [tick["end"] for tick in ledger.ticks(after=tick_key(sorted(ends)[2]))] == expected[3:]
    assert ledger.keys("tick/") == [f"tick/{end}" for end in expected]


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (tick_key(NOW), Kind.TICK),
        (deployment_key("SHADOW"), Kind.DEPLOYMENT),
        (replay_key(3), Kind.REPLAY),
        (finding_key("final"), Kind.FINDING),
        ("conclude/0012", Kind.CONCLUDE),
        ("baseline", Kind.BASELINE),
        ("report.html", Kind.REPORT_PAGE),
    ],
)
def test_every_name_of_the_catalogue_says_its_kind(key, kind):
    assert kind_of(key) is kind


@pytest.mark.parametrize(
    "key",
    [
        "",
        "verdicts",
        "verdict/",
        "verdict/2",
        "tick",
        "tick/",
        "tick/a/b",
        "tick/..",
        "../other/verdict",
        "Spec",
    ],
)
def test_a_name_that_the_catalogue_does_not_have_is_refused(ledger, key):
    with pytest.raises(LedgerError, match="has no object"):
        ledger.write(key, {})
    with pytest.raises(LedgerError, match="has no object"):
        ledger.read(key)


def test_a_missing_object_is_none_to_read_and_a_sentence_to_require(ledger):
    assert ledger.read("baseline") is None
    with pytest.raises(MissingError, match=f"ledger of rollout {ROLLOUT} has no baseline"):
        ledger.require("baseline")


def test_a_rollout_id_of_another_form_is_refused(store):
    for wrong in ("", "../../etc", "ABCDEFGH2345", "abc"):
        with pytest.raises(LedgerError, match="not a rollout id"):
            Ledger(store, wrong)


def test_an_object_of_a_version_that_is_not_known_is_not_guessed_at(ledger):
    ledger.store.put_once(f"rollouts/{ROLLOUT}/plan", {"schema": 7, "kind": "plan"})
    with pytest.raises(LedgerError, match="schema 7"):
        ledger.read("plan")


def test_a_document_cannot_claim_to_be_of_another_kind(ledger):
    with pytest.raises(LedgerError, match="brings its own kind"):
        ledger.write("plan", {"kind": "verdict"})


def test_a_stored_document_can_be_written_on_under_its_own_key(ledger):
    stored = ledger.write("plan", {"n": 1}, at=NOW)
    assert ledger.write("plan", stored, at=NOW + timedelta(hours=1)) == stored


def test_a_tick_between_two_seconds_is_refused():
    with pytest.raises(LedgerError, match="whole seconds"):
        tick_key(NOW + timedelta(milliseconds=1))


def test_requests_of_many_people_at_once_are_all_kept_and_numbered(ledger):
    with ThreadPoolExecutor(6) as people:
        keys = list(people.map(lambda who: ledger.append(Kind.CONCLUDE, {"who": who}, at=NOW), range(6)))
    assert sorted(keys) == ledger.keys("conclude") == [f"conclude/{n:04d}" for n in range(1, 7)]
    assert {ledger.require(key)["who"] for key in keys} == set(range(6))
