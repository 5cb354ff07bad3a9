"""An account that does not add up cannot be built; accounts merge in any order."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.replay.account import Account, FailureKind, Period
from include.replay.histogram import Histogram
from include.replay.tally import ANSWERED, KINDS, ROW, SHED, account_of

EPOCH = 1.7e9

row = st.tuples(
    st.floats(min_value=0, max_value=100),  # scheduled
    st.floats(min_value=0, max_value=5),  # late by
    st.floats(min_value=0, max_value=60),  # service time
    st.sampled_from(range(SHED + 1)),  # outcome
)


def account(rows: list[tuple[float, float, float, int]]) -> Account:
    if not rows:
        return Account()
    table = np.array(
        [
            (
                index,
                EPOCH + at,
                EPOCH + at + late,
                EPOCH + at + late + took,
                200 if outcome == ANSWERED else 0,
                outcome,
            )
            for index, (at, late, took, outcome) in enumerate(rows)
        ],
        dtype=ROW,
    )
    return account_of(table, period=10)


accounts = st.lists(row, max_size=20).map(account)


@settings(deadline=None)
@given(accounts, accounts, accounts)
def test_merging_is_associative_and_commutative(a: Account, b: Account, c: Account) -> None:
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a + Account() == a
    assert Account.merged([a, b, c]) == Account.merged([c, a, b])


@settings(deadline=None)
@given(st.lists(row, max_size=40))
def test_whatever_the_outcomes_each_request_is_counted_once(
    rows: list[tuple[float, float, float, int]],
) -> None:
    whole = account(rows)
    outcomes = [outcome for *_, outcome in rows]
    assert whole.scheduled == len(rows) == whole.answered + whole.failures + whole.shed
    assert whole.answered == outcomes.count(ANSWERED) == whole.statuses.get(200, 0)
    assert whole.shed == outcomes.count(SHED)
    assert whole.failed == {kind: outcomes.count(i) for i, kind in enumerate(KINDS) if i in outcomes}
    assert sum((p for p in whole.periods.values()), Period()) == Period(
        scheduled=whole.scheduled, answered=whole.answered, failed=whole.failures, shed=whole.shed
    )


@settings(deadline=None)
@given(accounts)
def test_a_document_is_json_and_brings_back_the_same_account(one: Account) -> None:
    document = json.loads(json.dumps(one.to_document(), allow_nan=False))
    assert Account.from_document(document) == one


@pytest.mark.parametrize(
    "counts",
    [
        {"scheduled": 1},
        {"scheduled": 2, "answered": 1, "failed": {FailureKind.TIMEOUT: 2}},
        {"scheduled": 0, "answered": 1, "shed": -1},
        {"answered": 1},
    ],
    ids=["lost", "twice", "negative", "invented"],
)
def test_an_account_that_does_not_add_up_cannot_be_built(counts: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"exactly once|at least 0"):
        Account(**counts)  # type: ignore[arg-type]


def test_connections_that_failed_and_answers_that_were_abandoned_have_no_latency() -> None:
    rows = [(0.0, 0.0, 1.0, KINDS.index(kind)) for kind in KINDS]
    whole = account(rows)
    assert whole.lateness.count == len(KINDS)
    assert whole.latency.count == whole.service.count == len(KINDS) - 2


def test_accounts_of_different_periods_do_not_merge() -> None:
    one = account([(0.0, 0.0, 1.0, ANSWERED)])
    with pytest.raises(ValueError, match="periods of"):
        one + Account.from_document(one.to_document() | {"period": 60})


def test_an_account_of_another_schema_is_not_read() -> None:
    with pytest.raises(ValueError, match="schema"):
        Account.from_document(Account().to_document() | {"schema": 99})


def test_what_was_sent_between_two_moments_is_counted_by_periods() -> None:
    periods = {
        10: Period(scheduled=5, answered=3, failed=1, shed=1),
        20: Period(scheduled=7, answered=7),
        30: Period(scheduled=2, shed=2),
    }
    found = Account(
        scheduled=14,
        answered=10,
        failed={FailureKind.TIMEOUT: 1},
        shed=3,
        started=10.0,
        ended=31.0,
        lateness=Histogram.of(np.zeros(11)),
        periods=periods,
    )
    assert [found.sent_between(*span) for span in ((10, 20), (10, 30), (20, 40), (0, 10))] == [4, 11, 7, 0]


def test_what_was_spared_merges_and_is_nothing_in_accounts_from_before() -> None:
    both = Account(spared=2) + Account(spared=3)
    assert both.spared == 5
    document = both.to_document()
    assert Account.from_document(document) == both
    del document["spared"]
    assert Account.from_document(document).spared == 0
