"""Latency non-inferiority on period quantiles."""

import numpy as np
import pytest
from scipy.stats import t, ttest_1samp

from include.stats.noninferiority import freedom, log_ratio_limits


def test_with_blocks_of_one_it_is_the_t_interval_of_the_log_ratio():
    rng = np.random.default_rng(1)
    production = np.exp(rng.normal(9, 0.1, 40))
    shadow = production * np.exp(rng.normal(0.03, 0.05, 40))
    found = log_ratio_limits(shadow, production, alpha=0.05)
    expected = ttest_1samp(np.log(shadow / production), 0).confidence_interval(0.90)
    assert (found.lower, found.upper) == pytest.approx((expected.low, expected.high))
    assert found.ratio == pytest.approx(np.exp(np.mean(np.log(shadow / production))))


def test_noise_shared_by_both_variants_cancels():
    shared = np.exp(np.random.default_rng(2).normal(0, 1, 30))
    ratio = np.tile([1.01, 1.03], 15)
    found = log_ratio_limits(shared * ratio, shared, alpha=0.05)
    assert found.ratio_limits[1] < 1.03


def test_blocks_widen_the_interval_of_autocorrelated_noise():
    rng = np.random.default_rng(3)
    narrow = wide = 0
    for _ in range(300):
        noise, level = [], 0.0
        for step in rng.normal(0, 0.05 * np.sqrt(1 - 0.8**2), 120):
            level = 0.8 * level + step
            noise.append(level)
        shadow = np.exp(noise)
        narrow += log_ratio_limits(shadow, np.ones(120), alpha=0.05).upper < 0
        wide += log_ratio_limits(shadow, np.ones(120), alpha=0.05, block=15).upper < 0
    assert narrow / 300 > 0.15  # three times what was asked for
    assert wide / 300 <= 0.09


def test_a_persistent_offset_does_not_average_out():
    shadow = np.tile([1.00, 1.02], 500)
    found = log_ratio_limits(shadow, np.ones(1000), alpha=0.05, block=10, offset_sd=0.015)
    assert found.error >= 0.015
    assert found.upper > found.mean + 1.6 * 0.015


def test_periods_that_fill_no_block_are_spread_over_the_others():
    found = log_ratio_limits(np.linspace(1, 2, 11), np.ones(11), alpha=0.05, block=5)
    assert (found.blocks, found.periods) == (2, 11)
    assert found.upper > found.mean + float(t.ppf(0.95, 1)) * 0.1


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_a_quantile_that_cannot_be_is_refused(bad):
    with pytest.raises(ValueError, match="drop that period"):
        log_ratio_limits([1.0, bad, 1.0], [1.0, 1.0, 1.0], alpha=0.05)


@pytest.mark.parametrize("periods", [0, 1, 9])
def test_fewer_than_two_blocks_are_refused(periods):
    with pytest.raises(ValueError, match="two blocks"):
        log_ratio_limits(np.ones(periods), np.ones(periods), alpha=0.05, block=5)


def test_an_offset_that_is_known_adds_freedom_and_one_that_is_not_there_adds_none():
    assert freedom(0.01, 0.0, 12) == 11
    assert freedom(0.01, 0.1, 12) == pytest.approx(44)
    assert freedom(0.0, 0.1, 12) == float("inf")
    assert freedom(0.0, 0.0, 12) == 11


def test_at_the_margin_offset_included_the_error_is_kept():
    rng = np.random.default_rng(14)
    passed = 0
    for _ in range(2000):
        ratios = np.log(1.1) + rng.normal(0, 0.02) + rng.normal(0, 0.06, 12)
        passed += log_ratio_limits(np.exp(ratios), np.ones(12), alpha=0.05, offset_sd=0.02).upper < np.log(
            1.1
        )
    assert passed / 2000 <= 0.065


def test_jitter_that_outlasts_a_block_is_not_hidden_by_blocks_that_agree():
    ratios = np.exp(np.full(60, 0.02) + np.tile([0.001, -0.001], 30))
    found = log_ratio_limits(ratios, np.ones(60), alpha=0.05, block=5, least_variance=0.03**2)
    assert found.error == pytest.approx(0.03)
    assert found.upper > 0.02 + 1.64 * 0.03
    with pytest.raises(ValueError, match="least_variance"):
        log_ratio_limits(ratios, np.ones(60), alpha=0.05, least_variance=-1.0)
