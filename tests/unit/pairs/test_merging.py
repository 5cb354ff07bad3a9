"""Partial counts merge exactly: associative, commutative, and with nothing as their zero."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.rollout.columns import MOST_COLUMNS, Column, Columns, Label
from include.rollout.moments import LARGEST, Moments
from include.rollout.pace import BINS, Pace, Signs
from include.rollout.pairs import MOST_SEGMENTS, Pairs, Records, Tally
from include.rollout.predictions import Predictions
from include.rollout.sketch import ACCURACY, HIGHEST, LOWEST, Sketch, bucket_of, value_of

COUNT = st.integers(0, 1000)
MOMENTS = st.lists(st.floats(-1e5, 1e5), max_size=4).map(lambda values: Moments.of(*values))
TALLY = st.builds(
    Tally, n=COUNT, same=COUNT, close=COUNT, flips=COUNT, mismatched=COUNT, wild=COUNT, difference=MOMENTS
)
RECORDS = st.builds(Records, read=COUNT, malformed=COUNT, outside=COUNT, unmatched=COUNT, matched=COUNT)
SKETCH = st.lists(st.floats(-1e10, 1e10), max_size=5).map(Sketch.of)
VALUES = st.dictionaries(st.integers(0, 2 * MOST_SEGMENTS).map(str), TALLY, max_size=4)
MANY = st.just({str(i): Tally(n=1) for i in range(MOST_SEGMENTS)})
COLUMN = st.builds(
    Column,
    production=MOMENTS,
    shadow=MOMENTS,
    shift=MOMENTS,
    production_outputs=SKETCH,
    shadow_outputs=SKETCH,
)
NAMES = st.integers(0, 2 * MOST_COLUMNS).map(str)
COLUMNS = st.builds(
    Columns,
    elements=st.dictionaries(NAMES, COLUMN, max_size=2),
    labels=st.dictionaries(NAMES, st.builds(Label, production=COUNT, shadow=COUNT, both=COUNT), max_size=3)
    | st.just({str(i): Label(both=1) for i in range(MOST_COLUMNS)}),
) | st.just(Columns(many=True))
SIGNS = st.lists(COUNT, min_size=BINS, max_size=BINS).map(lambda counts: Signs(counts=tuple(counts)))
PACE = st.builds(
    Pace,
    periods=st.dictionaries(
        st.integers(0, 3), st.dictionaries(st.integers(-3, 3), SIGNS, min_size=1, max_size=3), max_size=2
    ),
)
PAIRS = st.builds(
    Pairs,
    period=st.just(60),
    production=RECORDS,
    shadow=RECORDS,
    unreadable=COUNT,
    all=TALLY,
    inputs_squared=COUNT,
    periods=st.dictionaries(st.integers(0, 5), st.tuples(COUNT, COUNT), max_size=3),
    segments=st.dictionaries(st.sampled_from("ab"), VALUES | MANY, max_size=2),
    scattered=st.just(frozenset()),
    differences=SKETCH,
    outputs=st.dictionaries(st.sampled_from(["production", "shadow"]), SKETCH),
    levels=st.dictionaries(st.sampled_from(["production", "shadow"]), MOMENTS),
    shift=MOMENTS,
    columns=COLUMNS,
    answers=st.none() | st.tuples(st.integers(0, 2**63), st.integers(2**63, 2**64 - 1)),
    latency=MOMENTS,
    latency_ratios=SKETCH,
    paces=st.dictionaries(st.sampled_from([0.05, 0.1]), PACE, max_size=2),
    predictions=st.none()
    | st.lists(st.tuples(COUNT, st.none() | st.just("yes"), st.just((0.5, 1.0))), max_size=3).map(
        lambda rows: Predictions.of(rows, total=len(rows))
    ),
)


@given(PAIRS, PAIRS, PAIRS)
def test_the_order_and_the_grouping_of_shards_change_nothing(a, b, c):
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a + Pairs(period=60) == a


@given(PAIRS, PAIRS)
def test_what_is_stored_is_what_was_there(a, b):
    assert Pairs.from_document((a + b).to_document()) == a + b


def test_pairs_of_other_periods_are_not_merged():
    with pytest.raises(ValueError, match="collect them alike"):
        Pairs(period=60) + Pairs(period=10)


@given(st.lists(st.floats(-1e5, 1e5), min_size=2, max_size=30))
def test_moments_are_the_mean_and_the_standard_deviation(values):
    found = Moments.of(*values)
    assert found.mean == pytest.approx(np.mean(values), abs=1e-9)
    assert found.sd == pytest.approx(np.std(values, ddof=1), rel=1e-5, abs=1e-8)


def test_values_that_lie_close_together_far_from_zero_keep_their_spread():
    assert Moments.of(1e6, 1e6 + 1e-3).sd == pytest.approx(1e-3 / math.sqrt(2), rel=1e-5)


@pytest.mark.parametrize("value", [math.nan, math.inf, 2 * LARGEST])
def test_what_has_no_sum_is_refused(value):
    with pytest.raises(ValueError, match="cannot be summed"):
        Moments.of(value)


@given(st.floats(LOWEST * 1.01, HIGHEST), st.sampled_from([-1, 1]))
def test_a_bucket_stands_for_its_values(size, sign):
    value = sign * size
    assert value_of(bucket_of(value)) == pytest.approx(value, rel=ACCURACY * 1.0001)


@given(
    st.lists(st.floats(-1e6, 1e6).filter(lambda v: abs(v) > 1e-6), min_size=1, max_size=50), st.floats(0, 1)
)
def test_a_quantile_is_as_accurate_as_promised(values, share):
    exact = sorted(values)[math.floor(share * (len(values) - 1))]
    assert Sketch.of(values).quantile(share) == pytest.approx(exact, rel=ACCURACY * 1.0001)


def test_no_values_have_no_quantile():
    assert Sketch().quantile(0.5) is None


@pytest.mark.parametrize("counts", [{0: -1}, {10**6: 1}])
def test_a_sketch_is_born_valid(counts):
    with pytest.raises(ValueError, match="buckets up to"):
        Sketch(counts=counts)
