"""Latency evidence from counts of slow requests."""

import numpy as np
import pytest
from scipy.stats import norm

from include.stats.eprocess import log_threshold
from include.stats.quantiles import EFFECTS, SOUGHT, exceedance_log_e, slower_odds

BAR = log_threshold(0.01)


def slow_counts(rng, *, slower, runs=1500, periods=12, requests=600, sampling=0.5, margin=0.2, sd=0.4):
    """Log-normal latencies around 1; production's own median is the threshold, the shadow's the margin above."""
    n_p = rng.poisson(requests, (runs, periods))
    ns = rng.binomial(n_p, sampling)
    production = norm.sf(0)
    shadow = norm.sf((np.log(1 + margin) - np.log(slower)) / sd)
    return rng.binomial(ns, shadow), rng.binomial(n_p, production), ns, n_p


def crossed(counts):
    a, b, ns, n_p = counts
    return np.array(
        [
            (
                exceedance_log_e(
                    shadow_over=a[i],
                    production_over=b[i],
                    shadow_requests=ns[i],
                    production_requests=n_p[i],
                )
                >= BAR
            ).any()
            for i in range(len(a))
        ]
    )


@pytest.mark.parametrize("sampling", [0.1, 0.5, 1.0])
def test_a_shadow_exactly_the_margin_slower_is_aborted_at_most_at_alpha(sampling):
    rng = np.random.default_rng(30)
    assert crossed(slow_counts(rng, slower=1.2, sampling=sampling)).mean() <= 0.01


def test_a_shadow_forty_percent_slower_is_found():
    rng = np.random.default_rng(31)
    assert crossed(slow_counts(rng, slower=1.4, runs=300)).mean() >= 0.99


def test_periods_with_another_request_ratio_keep_their_own_share():
    # Half the window at sampling 100 %, half at 10 %: pooled shares would see a difference that is not there.
    a = np.array([50] * 6 + [5] * 6)
    b, n_p = np.full(12, 50), np.full(12, 600)
    ns = np.array([600] * 6 + [60] * 6)
    found = exceedance_log_e(shadow_over=a, production_over=b, shadow_requests=ns, production_requests=n_p)
    assert (found <= 0).all()


def test_a_design_effect_takes_its_share_of_the_evidence():
    counts = {
        "shadow_over": [30],
        "production_over": [10],
        "shadow_requests": [100],
        "production_requests": [100],
    }
    assert 0 < exceedance_log_e(**counts, phi=4)[0] < exceedance_log_e(**counts)[0]


@pytest.mark.parametrize("change", [{"shadow_over": [101]}, {"production_over": [-1]}, {"phi": 0.5}])
def test_impossible_counts_are_refused(change):
    counts = {
        "shadow_over": [30],
        "production_over": [10],
        "shadow_requests": [100],
        "production_requests": [100],
    }
    with pytest.raises(ValueError, match=r"exceedances|negative|phi"):
        exceedance_log_e(**{**counts, **change})


def test_odds_follow_the_spread_of_the_latencies():
    latency = np.exp(np.random.default_rng(47).normal(0, 0.4, 400_000))
    for share in (0.5, 0.9, 0.99):
        found = slower_odds(share=share, spread=0.4)
        at = np.quantile(latency, share)
        beyond = [(latency * effect > at).mean() / (1 - share) for effect in EFFECTS]
        assert found == pytest.approx(beyond, rel=0.03)


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_odds_made_to_measure_keep_the_error_at_the_margin_and_find_more(share):
    rng = np.random.default_rng(48)
    n = np.full(30, 1200.0)
    made = {"odds": slower_odds(share=share, spread=0.4), "weights": SOUGHT}

    def crossed(rate, **kwargs):
        found = 0
        for _ in range(300):
            a, b = rng.binomial(1200, rate, 30), rng.binomial(1200, 1 - share, 30)
            e = exceedance_log_e(
                shadow_over=a, production_over=b, shadow_requests=n, production_requests=n, **kwargs
            )
            found += (e >= np.log(100)).any()
        return found / 300

    assert crossed(1 - share, **made) <= 0.02
    slower = (1 - share) * slower_odds(share=share, spread=0.4)[0]
    assert crossed(slower, **made) >= crossed(slower) - 0.02


@pytest.mark.parametrize("weights", [(0.5, 0.5), (0.5, 0.5, 0.5, 0.5), (1.2, -0.1, -0.05, -0.05)])
def test_weights_that_are_not_one_each_are_refused(weights):
    with pytest.raises(ValueError, match="weight"):
        exceedance_log_e(
            shadow_over=[1], production_over=[1], shadow_requests=[9], production_requests=[9],
            odds=slower_odds(share=0.5, spread=0.4), weights=weights,
        )  # fmt: skip
