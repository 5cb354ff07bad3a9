"""Statistics of weighted samples equal those of the samples written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.localcloud.cloudwatch.samples import Samples

_VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)


@given(_VALUES, st.floats(0, 100))
def test_every_percentile_is_numpys(values, percent):
    drawn = values + values[: len(values) // 2]
    assert Samples.of(drawn).percentile(percent) == pytest.approx(
        np.percentile(drawn, percent), rel=1e-9, abs=1e-6
    )


@given(_VALUES, st.integers(1, 59), st.floats(0, 100))
def test_merging_parts_is_the_same_as_having_them_together(values, cut, percent):
    parts = [Samples.of(part) for part in (values[:cut], values[cut:]) if part]
    merged, whole = Samples.merged(parts), Samples.of(values)
    assert merged.values.tolist() == whole.values.tolist()
    assert merged.counts.tolist() == whole.counts.tolist()
    assert merged.percentile(percent) == whole.percentile(percent)
    assert (merged.count, merged.low, merged.high) == (len(values), min(values), max(values))
    assert merged.total == pytest.approx(sum(values), abs=1e-3)


def test_counts_weigh_values():
    samples = Samples.of([3.0, 1.0, 3.0], [2, 5, 1])
    assert samples.values.tolist() == [1.0, 3.0]
    assert samples.counts.tolist() == [5.0, 3.0]
    assert (samples.count, samples.total) == (8.0, 14.0)


def test_a_statistic_set_has_no_percentiles_unless_it_is_one_value():
    opaque = Samples.summary(count=3, total=9.0, low=1.0, high=5.0)
    assert (opaque.count, opaque.total, opaque.low, opaque.high) == (3, 9.0, 1.0, 5.0)
    assert opaque.percentile(50) is None
    assert Samples.merged([opaque, Samples.of([9.0])]).percentile(50) is None
    assert Samples.merged([opaque, Samples.of([9.0])]).high == 9.0
    assert Samples.summary(count=3, total=6.0, low=2.0, high=2.0).percentile(99) == 2.0


def test_ranks_cut_the_outermost_samples_in_part():
    samples = Samples.of([1.0, 2.0, 3.0, 4.0])
    inner = samples.between_ranks(12.5, 75.0)
    assert inner.values.tolist() == [1.0, 2.0, 3.0]
    assert inner.counts.tolist() == [0.5, 1.0, 1.0]
    assert samples.between_values(1.0, 3.0).values.tolist() == [2.0, 3.0]


@given(st.lists(st.floats(-1e6, 1e6).filter(lambda value: abs(value) > 1e-6), min_size=1, max_size=60))
def test_buckets_keep_sum_and_count_and_move_no_value_by_more_than_their_width(values):
    exact, coarse = Samples.of(values), Samples.of(values).bucketed(1.1)
    assert coarse.count == exact.count
    assert coarse.total == pytest.approx(exact.total, rel=1e-6, abs=1e-3)
    assert len(coarse.values) <= len(exact.values)
    assert (np.diff(coarse.values) > 0).all()
    for percent in (0, 100):
        assert coarse.percentile(percent) == pytest.approx(exact.percentile(percent), rel=0.1)


def test_many_values_need_few_buckets():
    drawn = np.random.default_rng(1).lognormal(9, 0.5, 10_000)
    coarse = Samples.of(drawn.tolist()).bucketed(1.1)
    assert len(coarse.values) < 60
    assert coarse.percentile(50) == pytest.approx(np.median(drawn), rel=0.1)
    assert Samples.of([0.0, 1.0], [3, 1]).bucketed(1.1).values.tolist() == [0.0, 1.0]
