"""The containers' times as columns: the slowest of every period, and how far their ratios are spread."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.gates.signs import SignTable, slower, spread
from include.rollout.pace import BINS, Pace, Signs, bin_of

STARTS = [datetime.fromtimestamp(60 * i, UTC) for i in range(4)]


def signs(fast: int, slow: int) -> Signs:
    """Return so many pairs far within the margin, and so many far beyond it."""
    return Signs(counts=(fast, *(0,) * (BINS - 2), slow))


def slowest(pace: Pace, share: float) -> list[tuple[int, ...]]:
    return [tuple(row) for row in SignTable.of(pace, STARTS).slowest(share).tolist()]


def test_the_slowest_are_whole_levels_from_the_highest_down():
    levels = {1: signs(81, 9), 2: signs(3, 3), 5: signs(0, 4)}
    pace = Pace(periods={180: {7: signs(2, 0)}, 0: levels, 120: {}, 60 + 7: levels, 60 * 99: levels})
    none, last = Signs().counts, signs(2, 0).counts
    assert slowest(pace, 0.04) == [signs(0, 4).counts, none, none, last]
    assert slowest(pace, 0.05) == [signs(3, 7).counts, none, none, last]
    assert slowest(pace, 1.0) == [signs(84, 16).counts, none, none, last]
    assert slowest(Pace(), 1.0) == [none] * 4
    assert SignTable.of(pace, []).slowest(0.5).shape == (0, BINS)


COUNTS = st.lists(st.integers(0, 9), min_size=BINS, max_size=BINS).map(lambda n: Signs(counts=tuple(n)))


@given(
    st.dictionaries(st.integers(-1, 4), st.dictionaries(st.integers(-5, 5), COUNTS, max_size=5), max_size=5),
    st.sampled_from([0.05, 0.25, 0.5, 1.0]),
)
def test_periods_are_taken_as_if_each_stood_alone(periods, share):
    pace = Pace(periods={60 * row: levels for row, levels in periods.items()})
    for row, found in enumerate(slowest(pace, share)):
        levels = periods.get(row, {})
        wanted, taken = share * sum(each.n for each in levels.values()), Signs()
        for level in sorted(levels, reverse=True):
            if taken.n >= wanted:
                break
            taken += levels[level]
        assert found == taken.counts


def test_pairs_beyond_the_margin_are_slower():
    assert slower(np.array([signs(3, 4).counts, signs(5, 0).counts])).tolist() == [4, 0]


@pytest.mark.parametrize(("sd", "mean"), [(0.35, 0.0), (0.35, 0.2), (0.05, 0.0), (0.2, -0.1)])
def test_the_spread_is_that_between_the_quartiles(sd, mean):
    places = [bin_of(x) for x in np.random.default_rng(3).normal(mean, sd, 20_000).tolist()]
    found = np.array([[places.count(place) for place in range(BINS)]])
    assert spread(found)[0] == pytest.approx(1.349 * sd, rel=0.25)


@given(st.lists(st.lists(st.integers(0, 50), min_size=BINS, max_size=BINS), min_size=1, max_size=3))
def test_the_spread_is_the_same_if_all_signs_are_exchanged(counts):
    found = np.array(counts)
    assert spread(found) == pytest.approx(spread(found[:, ::-1]))
    assert (spread(found) > 0).tolist() == [any(row) for row in counts]
