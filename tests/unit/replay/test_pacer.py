"""Pacers give the same times for the same seed, at the rate that was asked for."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.replay.pacer import Constant, Poisson, Ramp, Recorded, Saturating, Share
from include.replay.request import Request
from include.rollout.errors import ReplayError

ROW = Request(body=b"1")


def first(count: int, pacer: Constant | Poisson | Ramp) -> list[float]:
    return list(itertools.islice(pacer.offsets(), count))


def test_constant_times_are_multiples_that_do_not_drift() -> None:
    times = first(100_001, Constant(rate=3))
    assert times[:4] == [0, 1 / 3, 2 / 3, 1]
    assert times[100_000] == 100_000 / 3


@pytest.mark.parametrize(
    "make", [lambda s: Poisson(rate=50, seed=s), lambda s: Ramp(first=1, last=50, length=9, seed=s)]
)
def test_the_same_seed_gives_the_same_times_and_another_seed_others(make: object) -> None:
    assert callable(make)
    assert first(3000, make(7)) == first(3000, make(7))
    assert first(10, make(7)) != first(10, make(8))


def test_poisson_gaps_are_exponential_with_the_rate() -> None:
    gaps = np.diff(first(40_000, Poisson(rate=200, seed=1)))
    assert gaps.mean() == pytest.approx(1 / 200, rel=0.02)
    assert gaps.std() == pytest.approx(1 / 200, rel=0.03)
    assert (gaps > 1 / 200).mean() == pytest.approx(math.exp(-1), abs=0.01)


@settings(deadline=None, max_examples=50)
@given(
    begin=st.floats(min_value=0, max_value=100),
    end=st.floats(min_value=0.1, max_value=100),
    length=st.floats(min_value=0.1, max_value=100),
)
def test_ramp_times_never_decrease(begin: float, end: float, length: float) -> None:
    times = first(2500, Ramp(first=begin, last=end, length=length, seed=3))
    assert all(a <= b for a, b in itertools.pairwise(times))
    assert times[0] >= 0


def test_a_ramp_sends_at_each_moment_at_the_rate_of_its_line() -> None:
    times = np.array(first(60_000, Ramp(first=0, last=1000, length=100, seed=5)))
    assert (times < 50).sum() == pytest.approx(12_500, rel=0.03)  # ∫ 10 t dt over 0…50
    assert (times < 100).sum() == pytest.approx(50_000, rel=0.02)
    assert np.diff(times[times > 100]).mean() == pytest.approx(1 / 1000, rel=0.03)


def test_a_flat_ramp_is_a_poisson_process() -> None:
    times = first(5000, Ramp(first=20, last=20, length=1000, seed=2))
    assert np.diff(times).mean() == pytest.approx(1 / 20, rel=0.05)


def test_a_schedule_ends_with_its_requests() -> None:
    assert [offset for offset, _ in Constant(rate=2).schedule([ROW] * 3)] == [0, 0.5, 1.0]


def test_saturating_is_due_whenever_it_is_asked() -> None:
    now = iter([100.0, 100.0, 107.5])
    assert [offset for offset, _ in Saturating(clock=lambda: next(now)).schedule([ROW] * 2)] == [0, 7.5]


@pytest.mark.parametrize("rate", [0.0, -1.0, math.inf, math.nan])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Constant(rate=rate)
    with pytest.raises(ValueError, match="above 0"):
        Poisson(rate=rate, seed=0)


def recorded(*times: float) -> list[Request]:
    return [Request(body=b"1", recorded=1.7e9 + time) for time in times]


@pytest.mark.parametrize(
    ("pacer", "times", "expected"),
    [
        (Recorded(), (0, 1, 3), [0, 1, 3]),
        (Recorded(speed=4), (0, 1, 3), [0, 0.25, 0.75]),
        (Recorded(longest_gap=10), (0, 3600, 3601), [0, 10, 11]),
        (Recorded(speed=2, longest_gap=10), (0, 3600, 3601), [0, 5, 5.5]),
        (Recorded(), (5, 4, 6), [0, 0, 2]),
    ],
    ids=["as it was", "four times as fast", "a night cut short", "both", "out of order"],
)
def test_recorded_gaps_come_back(pacer: Recorded, times: tuple[float, ...], expected: list[float]) -> None:
    assert [offset for offset, _ in pacer.schedule(recorded(*times))] == pytest.approx(expected)


def test_a_request_without_a_recorded_time_cannot_be_paced_by_it() -> None:
    with pytest.raises(ReplayError, match="no recorded time"):
        list(Recorded().schedule([ROW]))


@given(shards=st.integers(min_value=1, max_value=7), count=st.integers(min_value=0, max_value=40))
def test_the_shares_of_a_schedule_are_together_the_schedule(shards: int, count: int) -> None:
    whole = list(Poisson(rate=10, seed=4).schedule([ROW] * count))
    parts = [
        list(Share(pacer=Poisson(rate=10, seed=4), shard=shard, shards=shards).schedule([ROW] * count))
        for shard in range(shards)
    ]
    assert sorted(offset for part in parts for offset, _ in part) == [offset for offset, _ in whole]
