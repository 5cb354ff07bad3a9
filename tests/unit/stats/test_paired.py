"""Paired intervals and running evidence: against published values, by coverage, and with a control that must fail."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import xlogy
from statsmodels.stats.weightstats import DescrStatsW

from include.stats.calibration import PRIOR
from include.stats.eprocess import log_threshold
from include.stats.paired import (
    SLOWER_ODDS,
    Discordance,
    mean_limits,
    sign_hazard,
    slower_log_e,
    tango_limits,
)

CELLS = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 500)).filter(sum)


def discordance(b, c, n):
    return Discordance(shadow_only=b, production_only=c, pairs=n)


@pytest.mark.parametrize(
    ("b", "c", "n"), [(12, 2, 50), (40, 20, 160), (1, 0, 500), (0, 7, 30), (3, 3, 10_000)]
)
def test_at_its_limits_the_score_test_of_the_best_fitting_rates_rejects(b, c, n):
    """The oracle fits the constrained rates by searching the likelihood instead of solving for them."""
    low, high = tango_limits(discordance(b, c, n), alpha=0.025)
    for difference, wanted in ((low, 1.95996), (high, -1.95996)):
        least = max(0.0, -difference)
        fit = minimize_scalar(
            lambda p, d=difference: -(xlogy(b, p + d) + xlogy(c, p) + xlogy(n - b - c, 1 - 2 * p - d)),
            bounds=(least, (1 - difference) / 2),
            method="bounded",
            options={"xatol": 1e-12},
        )
        variance = n * (2 * fit.x + difference - difference**2)
        assert (b - c - n * difference) / np.sqrt(variance) == pytest.approx(wanted, abs=2e-3)


def test_without_discordant_pairs_the_limit_is_known():
    """With b = c = 0 the score equation is n d^2 = z^2 d (1 - d)."""
    z2 = 1.959964**2
    limit = z2 / (44 + z2)
    assert tango_limits(discordance(0, 0, 44), alpha=0.025) == pytest.approx((-limit, limit), abs=1e-5)


@given(CELLS, st.sampled_from([0.025, 0.05]))
def test_limits_enclose_the_difference_and_turn_with_the_roles(cells, alpha):
    b, c, others = cells
    n = b + c + others
    low, high = tango_limits(discordance(b, c, n), alpha=alpha)
    assert -1 <= low <= (b - c) / n <= high <= 1
    assert tango_limits(discordance(c, b, n), alpha=alpha) == pytest.approx((-high, -low), abs=1e-9)


@pytest.mark.parametrize(("p", "q"), [(0.02, 0.02), (0.05, 0.01), (0.2, 0.1)])
def test_limits_cover_the_truth_as_often_as_they_promise(p, q):
    rng = np.random.default_rng(11)
    n, alpha, runs = 300, 0.05, 1500
    missed = 0
    for b, c, _ in rng.multinomial(n, [p, q, 1 - p - q], size=runs):
        missed += tango_limits(discordance(b, c, n), alpha=alpha)[1] < p - q
    assert 0 < missed < runs * alpha * 1.4  # limits that never miss are too wide


def test_pairs_worth_half_give_wider_limits():
    narrow, wide = (tango_limits(discordance(10, 4, 1000), alpha=0.05, phi=phi) for phi in (1, 2))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_mean_limits_are_the_t_interval():
    values = np.random.default_rng(3).normal(0.1, 2, 40)
    expected = DescrStatsW(values).tconfint_mean(alpha=0.10)
    found = mean_limits(mean=values.mean(), sd=values.std(ddof=1), n=40, alpha=0.05)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    "cells", [(-1, 0, 5), (3, 3, 5), (0, 0, 0), (float("nan"), 0, 5), (0, float("inf"), 5)]
)
def test_impossible_pairs_are_refused(cells):
    with pytest.raises(ValueError, match="pair"):
        discordance(*cells)


@pytest.mark.parametrize(
    "call",
    [
        lambda: tango_limits(discordance(1, 1, 5), alpha=0),
        lambda: tango_limits(discordance(1, 1, 5), alpha=0.05, phi=0.5),
        lambda: mean_limits(mean=0, sd=1, n=1, alpha=0.05),
        lambda: mean_limits(mean=float("nan"), sd=1, n=10, alpha=0.05),
    ],
)
def test_impossible_arguments_are_refused(call):
    with pytest.raises(ValueError, match=r"must|needs|is|has"):
        call()


def test_signs_are_the_mixed_likelihood_ratio_against_a_fair_coin():
    slower, pairs = np.array([30, 40]), np.array([50, 60])
    k, n = slower.sum(), pairs.sum()
    shares = np.array(SLOWER_ODDS) / (1 + np.array(SLOWER_ODDS))
    expected = np.log(np.mean((2 * shares) ** k * (2 * (1 - shares)) ** (n - k)))
    assert slower_log_e(slower, pairs)[-1] == pytest.approx(expected)


def test_among_the_slowest_pairs_signs_cross_at_most_at_alpha_whatever_slow_calls_there_are():
    """The slowest by the product of both times: a choice by one variant's time alone is the control that must fail."""
    rng = np.random.default_rng(61)
    crossed = {"product": 0, "shadow": 0}
    for _ in range(500):
        common = rng.normal(0, 0.4, (30, 400))
        own = rng.normal(0, 0.25, (2, 30, 400)) + 1.4 * (rng.random((2, 30, 400)) < 0.02)
        production, shadow = common + own
        for chosen, by in (("product", production + shadow), ("shadow", shadow)):
            slowest = np.argsort(by, axis=1)[:, -20:]
            slower = np.take_along_axis(shadow > production, slowest, axis=1).sum(axis=1)
            crossed[chosen] += (slower_log_e(slower, np.full(30, 20)) >= log_threshold(0.05)).any()
    assert crossed["product"] <= 0.05 * 500
    assert crossed["shadow"] >= 0.9 * 500


@pytest.mark.parametrize("calls", [0.005, 0.04, 0.3], ids=["hardly differ", "differ as periods do", "differ"])
def test_jitter_that_moves_whole_periods_rejects_at_most_at_alpha(calls):
    """Without the design effect a period is one coin that counts a thousand times, unless calls differ much."""
    rng = np.random.default_rng(62)
    crossed = {"tempered": 0, "plain": 0}
    pairs = np.full(30, 500.0)
    for _ in range(300):
        jitter = rng.normal(0, PRIOR.jitter_sd, (2, 30))
        ratios = (jitter[1] - jitter[0])[:, None] + rng.normal(0, calls, (30, 500))
        spread = np.subtract(*np.quantile(ratios, (0.75, 0.25), axis=1))
        phi = PRIOR.design_effect(exceedances=pairs, shadow_share=0.5, log_hazard=sign_hazard(spread))
        slower = (ratios > 0).sum(axis=1)
        for name, each in (("tempered", phi), ("plain", 1.0)):
            crossed[name] += (slower_log_e(slower, pairs, phi=each) >= log_threshold(0.05)).any()
    assert crossed["tempered"] <= 0.05 * 300
    assert crossed["plain"] >= 0.2 * 300


def test_more_slower_pairs_than_pairs_are_refused():
    with pytest.raises(ValueError, match="negative"):
        slower_log_e([3], [2])
