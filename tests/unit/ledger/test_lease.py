"""One holder at a time, and a fence that only ever grows."""

from __future__ import annotations

import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from include.ledger.lease import Lease, LeaseDesk, OwnerRun
from include.ledger.store import Store
from include.rollout.errors import FenceError, LeaseHeldError, LedgerError

NOW = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
RUN = OwnerRun(dag_id="shadow_rollout", run_id="manual__1", airflow="http://airflow.example:8080")


def desk_of(store):
    return LeaseDesk(store, account="123456789012", region="eu-west-1")


@pytest.fixture
def desk(store):
    return desk_of(store)


def take(desk, owner, *, now=NOW, until=None, over=False, endpoint="churn"):
    return desk.acquire(
        endpoint, owner, RUN, now=now, until=until or now + HOUR, owner_is_over=lambda _: over
    )


def test_a_free_endpoint_is_given_with_the_first_fence(desk):
    lease = take(desk, "a")
    assert lease == Lease(endpoint="churn", owner="a", owner_run=RUN, fence=1, expires=NOW + HOUR)
    assert desk.current("churn") == lease
    desk.check(lease)


def test_a_held_endpoint_is_refused_naming_owner_run_and_expiry(desk):
    take(desk, "a")
    with pytest.raises(LeaseHeldError, match=r"rollout a .*manual__1.* until 2026-11-22 14:00:00 UTC"):
        take(desk, "b")


def test_the_owner_adopts_its_own_lease_with_the_same_fence_and_never_shortens_it(desk):
    first = take(desk, "a")
    assert take(desk, "a", until=NOW + HOUR / 2) == first
    longer = take(desk, "a", until=NOW + 2 * HOUR)
    assert longer == replace(first, expires=NOW + 2 * HOUR)
    desk.check(first)


@pytest.mark.parametrize(
    ("over", "hours", "taken"),
    [
        (True, 0, True),
        (True, 2, True),
        (None, 0, False),
        (None, 2, True),
        (False, 0, False),
        (False, 2, False),
    ],
)
def test_a_lease_is_taken_over_only_from_a_run_that_is_over_or_unknown_and_expired(desk, over, hours, taken):
    old = take(desk, "a")
    now = NOW + hours * HOUR
    if not taken:
        with pytest.raises(LeaseHeldError):
            take(desk, "b", now=now, over=over)
        desk.check(old)
        return
    new = take(desk, "b", now=now, over=over)
    assert (new.owner, new.fence) == ("b", 2)
    for lost in (lambda: desk.check(old), lambda: desk.extend(old, NOW), lambda: desk.raise_fence(old)):
        with pytest.raises(FenceError, match="held by rollout b with fence 2, not by rollout a with fence 1"):
            lost()


def test_a_raised_fence_outdates_the_owners_older_processes(desk):
    old = take(desk, "a")
    new = desk.raise_fence(old)
    assert (new.owner, new.fence, new.expires) == ("a", 2, NOW + HOUR)
    desk.check(new)
    with pytest.raises(FenceError):
        desk.check(old)
    desk.release(old)
    assert desk.current("churn") == new


def test_an_extension_keeps_the_fence_and_never_shortens(desk):
    lease = take(desk, "a")
    assert desk.extend(lease, NOW + 3 * HOUR).expires == NOW + 3 * HOUR
    assert desk.extend(lease, NOW).expires == NOW + 3 * HOUR
    desk.check(lease)


def test_a_release_may_be_repeated_and_never_frees_somebody_elses(desk):
    old = take(desk, "a")
    desk.release(old)
    desk.release(old)
    assert desk.current("churn") is None
    with pytest.raises(FenceError, match="held by nobody"):
        desk.check(old)
    new = take(desk, "b")
    desk.release(old)
    desk.release(replace(old, owner="b"))
    desk.check(new)


def test_the_fence_survives_a_release_and_grows_with_the_next_holder_also_the_same(desk):
    desk.release(desk.raise_fence(take(desk, "a")))
    again = take(desk, "a")
    assert again.fence == 3


def test_a_lease_that_was_never_given_does_not_count(desk):
    with pytest.raises(FenceError, match="held by nobody with fence 0"):
        desk.check(Lease(endpoint="churn", owner="a", owner_run=RUN, fence=1, expires=NOW))


def test_endpoints_are_apart_but_the_case_of_a_name_is_not(desk):
    take(desk, "a", endpoint="Churn")
    take(desk, "b", endpoint="churn-2")
    with pytest.raises(LeaseHeldError):
        take(desk, "b", endpoint="churn")
    assert [(lease.endpoint, lease.owner) for lease in desk.held()] == [("Churn", "a"), ("churn-2", "b")]


def test_a_name_that_would_leave_its_place_is_refused(desk):
    with pytest.raises(LedgerError, match="cannot be part"):
        take(desk, "a", endpoint="../churn")


def test_of_many_rollouts_at_once_exactly_one_gets_the_endpoint(open_store):
    start = threading.Barrier(10)

    def race(n):
        desk = desk_of(open_store())
        start.wait()
        try:
            return take(desk, f"owner-{n}")
        except LeaseHeldError:
            return None

    with ThreadPoolExecutor(10) as pool:
        won = [lease for lease in pool.map(race, range(10)) if lease is not None]
    assert [lease.fence for lease in won] == [1]
    assert desk_of(open_store()).current("churn") == won[0]


def test_settles_of_one_rollout_that_race_to_raise_the_fence_leave_one_that_counts(open_store):
    lease = take(desk_of(open_store()), "a")
    start = threading.Barrier(8)

    def settle(_):
        desk = desk_of(open_store())
        start.wait()
        try:
            return desk.raise_fence(lease)
        except FenceError:
            return None

    with ThreadPoolExecutor(8) as pool:
        raised = [won for won in pool.map(settle, range(8)) if won is not None]
    assert [won.fence for won in raised] == [2]


def test_while_rollouts_take_over_from_each_other_no_fence_is_given_twice(open_store):
    start = threading.Barrier(6)

    def churn(n):
        desk, seen = desk_of(open_store()), []
        start.wait()
        for _ in range(4):
            lease = take(desk, f"owner-{n}", over=True)
            seen.append(lease)
            try:
                seen.append(desk.raise_fence(lease))
                desk.release(seen[-1])
            except FenceError:
                pass
        return seen

    with ThreadPoolExecutor(6) as pool:
        histories = list(pool.map(churn, range(6)))
    owners: dict[int, set[str]] = {}
    for history in histories:
        fences = [lease.fence for lease in history]
        assert fences == sorted(fences)
        for lease in history:
            owners.setdefault(lease.fence, set()).add(lease.owner)
    assert all(len(names) == 1 for names in owners.values())


class LeaseLaws(RuleBasedStateMachine):
    """Whatever is done in whatever order, the desk and a model of three fields agree."""

    leases = Bundle("leases")

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.desk = desk_of(Store(self.folder.name))
        self.now, self.fence, self.owner, self.expires = NOW, 0, None, NOW
        self.given: list[Lease] = []

    def teardown(self):
        self.folder.cleanup()

    def holds(self, lease):
        return self.owner == lease.owner and self.fence == lease.fence

    @rule(
        target=leases,
        owner=st.sampled_from("abc"),
        hours=st.integers(1, 3),
        over=st.sampled_from([True, False, None]),
    )
    def acquire(self, owner, hours, over):
        until = self.now + hours * HOUR
        may = self.owner in (None, owner) or over is True or (over is None and self.now >= self.expires)
        try:
            lease = take(self.desk, owner, now=self.now, until=until, over=over)
        except LeaseHeldError:
            assert not may
            return self.given[-1]
        assert may
        if self.owner == owner:
            self.expires = max(self.expires, until)
        else:
            self.owner, self.fence, self.expires = owner, self.fence + 1, until
        self.given.append(lease)
        return lease

    @rule(lease=leases, hours=st.integers(0, 4))
    def extend(self, lease, hours):
        until = self.now + hours * HOUR
        if self.holds(lease):
            self.expires = max(self.expires, until)
            assert self.desk.extend(lease, until).expires == self.expires
        else:
            with pytest.raises(FenceError):
                self.desk.extend(lease, until)

    @rule(target=leases, lease=leases)
    def raise_fence(self, lease):
        if not self.holds(lease):
            with pytest.raises(FenceError):
                self.desk.raise_fence(lease)
            return lease
        self.fence += 1
        self.given.append(self.desk.raise_fence(lease))
        return self.given[-1]

    @rule(lease=leases)
    def release(self, lease):
        self.desk.release(lease)
        if self.holds(lease):
            self.owner = None

    @rule(hours=st.integers(1, 4))
    def wait(self, hours):
        self.now += hours * HOUR

    @precondition(lambda self: self.given)
    @invariant()
    def only_the_newest_fence_counts(self):
        current = self.desk.current("churn")
        assert (current.owner if current else None) == self.owner
        if current is not None:
            assert (current.fence, current.expires) == (self.fence, self.expires)
        counting = set()
        for lease in self.given:
            try:
                self.desk.check(lease)
                counting.add((lease.owner, lease.fence))
            except FenceError:
                assert not self.holds(lease)
        assert counting <= {(self.owner, self.fence)}
        assert max(lease.fence for lease in self.given) == self.fence


LeaseLaws.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
TestLeaseLaws = LeaseLaws.TestCase
