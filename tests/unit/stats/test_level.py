"""Levels and growth: limits that keep their error, and none where there is too little."""

import numpy as np
import pytest

from include.stats.level import least_growth, level_limits


def test_the_limits_are_those_of_students_t():
    """Of 1..6 in blocks of one: mean 3.5, sd 1.8708, t(0.95, 5) 2.0150, so 3.5 -+ 1.5390."""
    found = level_limits([1, 2, 3, 4, 5, 6], alpha=0.05)
    assert (found.mean, found.blocks) == (3.5, 6)
    assert (found.lower, found.upper) == pytest.approx((1.9610, 5.0390), abs=1e-4)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, np.nan, 2.0], [1.0, np.inf, 2.0], [[1.0, 2.0]]])
def test_what_has_no_limits_is_refused(values):
    with pytest.raises(ValueError, match="needs two"):
        level_limits(values, alpha=0.05)


def test_a_slope_is_found_to_its_limit():
    """The points 0, 1, 1, 3 by hand: slope 0.9, residual sum of squares 0.7, error sqrt(0.35/5), t(0.95, 2) 2.9200."""
    assert least_growth([0, 1, 1, 3], alpha=0.05) == pytest.approx(0.9 - 2.9200 * np.sqrt(0.07), abs=1e-4)
    assert least_growth(np.arange(40.0), alpha=0.05, block=5) == pytest.approx(1)
    assert least_growth([1.0, 2.0, 3.0], alpha=0.05) is None
    with pytest.raises(ValueError, match="missing or infinite"):
        least_growth([1.0, np.nan, 3.0, 4.0, 5.0], alpha=0.05)


def test_a_series_that_does_not_grow_is_seldom_said_to():
    rng = np.random.default_rng(34)
    wrong = sum((least_growth(rng.normal(0, 1, 30), alpha=0.025, block=3) or 0) > 0 for _ in range(2000))
    assert wrong / 2000 == pytest.approx(0.025, abs=0.012)
