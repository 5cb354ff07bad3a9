"""One attempt at a time sends a shard, and what nobody can know is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from include.ledger.store import Store
from include.replay.account import Account
from include.replay.journal import Journal
from include.replay.progress import Progress
from include.replay.tally import ANSWERED, ROW, account_of
from include.rollout.errors import LedgerError, ReplayError

KEY = "replay/0000.journal"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def journal(folder: Path, clock: Clock | None = None) -> Journal:
    clock = clock or Clock()
    return Journal(Store(str(folder)), KEY, reserve=100, clock=clock, sleep=clock.sleep)


def answered(count: int) -> Account:
    if count == 0:
        return Account()
    rows = np.array([(i, 1.0, 1.0, 2.0, 200, ANSWERED) for i in range(count)], dtype=ROW)
    return account_of(rows, period=10)


def progress(next_index: int, *pending: int) -> Progress:
    return Progress(
        elapsed=1.0, account=answered(next_index - len(pending)), pending=pending, next_index=next_index
    )


def test_a_first_attempt_waits_for_nobody_and_may_send_nothing_before_its_first_checkpoint(
    tmp_path: Path,
) -> None:
    clock = Clock()
    first = journal(tmp_path, clock)
    assert clock.slept == []
    assert (first.attempt, first.first_index, first.horizon) == (1, 0, 0)
    assert first.until < clock.now
    first.keep(progress(0))
    assert (first.horizon, first.until) == (100, clock.now + 3.0)


def test_a_retry_waits_out_the_one_before_and_goes_on_behind_what_that_may_have_sent(tmp_path: Path) -> None:
    journal(tmp_path).keep(progress(40, 12, 38, 39))
    clock = Clock()
    retry = journal(tmp_path, clock)
    assert clock.slept == [3.0]
    assert (retry.attempt, retry.first_index) == (2, 140)
    assert retry.before.uncertain == ((12, 13), (38, 140))
    assert retry.before.account.scheduled == 37
    assert retry.before.account.scheduled + retry.before.uncertain_count == 140


def test_the_one_before_loses_its_leave_at_its_next_renewal(tmp_path: Path) -> None:
    orphan = journal(tmp_path)
    orphan.keep(progress(40))
    journal(tmp_path)
    with pytest.raises(ReplayError, match="another attempt has taken over"):
        orphan.keep(progress(50))


def test_an_attempt_killed_before_its_first_checkpoint_makes_nothing_more_uncertain(tmp_path: Path) -> None:
    journal(tmp_path).keep(progress(40))
    journal(tmp_path)
    third = journal(tmp_path)
    assert (third.attempt, third.first_index, third.before.uncertain) == (3, 140, ((40, 140),))


def test_uncertain_requests_of_every_attempt_are_kept(tmp_path: Path) -> None:
    journal(tmp_path).keep(progress(40, 7))
    second = journal(tmp_path)
    second.keep(Progress(elapsed=1.0, account=answered(9), pending=(145,), next_index=150))
    third = journal(tmp_path)
    assert third.before.uncertain == ((7, 8), (40, 140), (145, 146), (150, 250))
    outcome = third.close(answered(25))
    assert outcome.account.scheduled == 39 + 9 + 25
    assert outcome.uncertain_count == 1 + 100 + 1 + 100


def test_a_store_that_cannot_be_reached_renews_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    one = journal(tmp_path, clock)
    one.keep(progress(10))
    clock.now += 2.0

    def unreachable(*_: object, **__: object) -> str:
        raise LedgerError("S3 is away")

    monkeypatch.setattr(Store, "replace", unreachable)
    one.keep(progress(20))
    assert (one.until, one.horizon) == (103.0, 110)


def test_a_shard_that_is_complete_is_not_sent_again(tmp_path: Path) -> None:
    first = journal(tmp_path)
    first.keep(progress(0))
    first.close(answered(30))
    clock = Clock()
    again = journal(tmp_path, clock)
    assert again.before.complete
    assert again.before.account == answered(30)
    assert clock.slept == []
