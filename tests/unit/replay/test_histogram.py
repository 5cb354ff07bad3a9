"""Histograms merge exactly and their quantiles are within half a percent."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.replay.histogram import ALPHA, HIGHEST, Histogram

durations = st.lists(st.floats(min_value=0, max_value=2e4), max_size=50)


def of(values: list[float]) -> Histogram:
    return Histogram.of(np.array(values, dtype=np.float64))


@given(durations, durations, durations)
def test_merging_is_associative_and_commutative(a: list[float], b: list[float], c: list[float]) -> None:
    assert (of(a) + of(b)) + of(c) == of(a) + (of(b) + of(c))
    assert of(a) + of(b) == of(b) + of(a)
    assert of(a) + Histogram() == of(a)


@given(durations, durations)
def test_a_merged_histogram_has_the_counts_of_both(a: list[float], b: list[float]) -> None:
    merged, whole = of(a) + of(b), of(a + b)
    assert np.array_equal(merged.counts, whole.counts)
    assert (merged.minimum, merged.maximum) == (whole.minimum, whole.maximum)


@settings(deadline=None)
@given(
    st.lists(st.floats(min_value=1e-6, max_value=HIGHEST), min_size=1, max_size=200),
    st.floats(min_value=0, max_value=1),
)
def test_every_quantile_is_within_half_a_percent_of_the_nearest_rank(values: list[float], q: float) -> None:
    exact = sorted(values)[max(1, math.ceil(q * len(values))) - 1]
    estimate = of(values).quantile(q)
    assert estimate is not None
    assert abs(estimate - exact) <= ALPHA * exact * (1 + 1e-6)


@given(durations)
def test_a_document_is_json_and_brings_back_the_same_histogram(values: list[float]) -> None:
    document = json.loads(json.dumps(of(values).to_document(), allow_nan=False))
    assert Histogram.from_document(document) == of(values)


def test_nothing_counted_has_no_quantile_and_no_mean() -> None:
    assert Histogram().quantile(0.99) is None
    assert Histogram().mean is None


def test_the_mean_is_the_sum_over_the_count() -> None:
    assert of([1.0, 2.0, 6.0]).mean == pytest.approx(3.0)


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf], ids=["negative", "nan", "infinite"])
def test_what_is_no_duration_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="finite and at least 0"):
        of([1.0, value])


def test_another_bucket_scheme_is_refused() -> None:
    document = of([1.0]).to_document() | {"alpha": 0.01}
    with pytest.raises(ValueError, match="bucket scheme"):
        Histogram.from_document(document)
