"""Evidence that stays valid however often it is looked at."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import binom, ttest_ind

from include.stats.eprocess import (
    excess_log_e,
    log_threshold,
    rate_log_e,
)
from tests.unit.stats.mixture import binomial_log_e

BAR = log_threshold(0.01)


def both_limits(xs, ns, xp, n_p, *, relative=0.5, absolute=0.005):
    counts = {
        "shadow_errors": xs,
        "shadow_requests": ns,
        "production_errors": xp,
        "production_requests": n_p,
    }
    return np.minimum(excess_log_e(**counts, difference=absolute), excess_log_e(**counts, ratio=1 + relative))


def windows(rng, *, shadow, production, runs=2000, periods=11, requests=600, sampling=0.5):
    n_p = rng.poisson(requests, (runs, periods))
    ns = rng.binomial(n_p, sampling)
    return rng.binomial(ns, shadow), ns, rng.binomial(n_p, production), n_p


@pytest.mark.parametrize(
    ("a", "b", "theta0"),
    [(0, 0, 0.5), (7, 3, 0.5), (30, 10, 0.6), (0, 50, 0.02), (5, 5, 0.9), (3, 200, 0.005)],
)
def test_the_beta_mixture_is_the_integral_it_stands_for(a, b, theta0):
    integral, _ = quad(
        lambda t: (t / theta0) ** a * ((1 - t) / (1 - theta0)) ** b, theta0, 1, epsabs=0, epsrel=1e-10
    )
    assert binomial_log_e(a, b, theta0) == pytest.approx(np.log(integral / (1 - theta0)), abs=1e-8)


def test_the_beta_mixture_at_one_half_has_its_closed_form():
    # 2^(N+1) B(A+1, B+1) (1 - I_1/2) with A = 8, B = 2: 2^11 / (11 * 45) * P(Bin(11, 1/2) <= 8)
    expected = 2**11 / (11 * 45) * binom.cdf(8, 11, 0.5)
    assert binomial_log_e(8, 2, 0.5) == pytest.approx(np.log(expected), abs=1e-12)


def test_a_tuned_beta_mixture_agrees_with_confseq():
    """Their steps are h up and g down; here g + h = 1, so g is theta0, v = N g h and s = A - N g."""
    data = json.loads((Path(__file__).parents[2] / "data" / "confseq.json").read_text())

    def best_rho(v, alpha):
        return v / (2 * np.log(1 / alpha) + np.log1p(2 * np.log(1 / alpha)))

    checked = 0
    for vector in data["vectors"]:
        args = vector["args"]
        if vector["fn"] == "two_sided_normal_best_rho":
            assert best_rho(args["v_opt"], args["alpha_opt"]) == pytest.approx(vector["expect"], abs=1e-5)
        elif args["one_sided"]:
            g, h = args["g"], args["h"]
            r = best_rho(args["v_opt"], 2 * 0.05) - g * h
            total = args["v"] / (g * h)
            a = args["s"] + total * g
            found = binomial_log_e(a, total - a, g, prior=(r / h, r / g))
            assert found == pytest.approx(vector["expect"], abs=1e-5)
            checked += 1
    assert checked == 1


@pytest.mark.parametrize("theta0", [1e-6, 0.01, 0.5, 0.99, 1 - 1e-6])
@pytest.mark.parametrize("a", [0, 10**3, 10**7])
@pytest.mark.parametrize("b", [0, 10**3, 10**7])
def test_large_counts_stay_finite_and_point_the_right_way(a, b, theta0):
    value = binomial_log_e(a, b, theta0)
    assert np.isfinite(value)
    if a + b and a / (a + b) < theta0 / 2:
        assert value <= 0
    if a + b >= 2000 and a / (a + b) > 2 * theta0:
        assert value > BAR


def test_the_two_branches_of_the_beta_mixture_meet():
    # Just above and below the point where the tail of the beta distribution underflows.
    values = [binomial_log_e(100, b, 0.9) for b in range(600, 800)]
    steps = np.diff(values)
    assert (steps < 0).all()
    assert np.abs(np.diff(steps)).max() < 1e-3


def test_a_rate_mixture_has_expectation_one_at_its_limit():
    n, limit = 400, 0.01
    x = np.arange(n + 1)
    log_e = np.array([rate_log_e([k], [n], limit)[0] for k in x])
    assert np.exp(log_e + binom.logpmf(x, n, limit)).sum() == pytest.approx(1, abs=1e-9)
    assert np.exp(log_e + binom.logpmf(x, n, limit / 2)).sum() < 1


@pytest.mark.parametrize(
    ("ratio", "difference", "production", "shadow"),
    [
        (1.0, 0.05, 0.1, 0.15),
        (1.0, 0.05, 0.0, 0.05),
        (1.5, 0.0, 0.1, 0.15),
        (1.0, 0.05, 0.1, 0.02),
        (1.5, 0.0, 0.4, 0.6),
        (1.5, 0.0, 0.0, 0.0),
    ],
)
@pytest.mark.parametrize("requests", [(5, 60), (60, 5), (30, 30)])
def test_the_excess_has_expectation_at_most_one_under_its_null(
    ratio, difference, production, shadow, requests
):
    n_p, ns = requests
    xp, xs = np.meshgrid(np.arange(n_p + 1), np.arange(ns + 1), indexing="ij")
    chance = binom.pmf(xp, n_p, production) * binom.pmf(xs, ns, shadow)
    log_e = excess_log_e(
        shadow_errors=xs[..., None],
        shadow_requests=np.full((*xs.shape, 1), ns),
        production_errors=xp[..., None],
        production_requests=np.full((*xs.shape, 1), n_p),
        ratio=ratio,
        difference=difference,
    )[..., 0]
    assert (np.exp(log_e) * chance).sum() <= 1 + 1e-9


@pytest.mark.parametrize(
    ("shadow", "production"), [(0.005, 0.0), (0.015, 0.010), (0.0055, 0.0005), (0.15, 0.10)]
)
def test_looking_at_every_tick_aborts_falsely_at_most_at_alpha_on_the_very_limit(shadow, production):
    rng = np.random.default_rng(20)
    paths = both_limits(*windows(rng, shadow=shadow, production=production))
    assert (paths >= BAR).any(axis=1).mean() <= 0.01


def test_rates_that_drift_together_do_not_abort():
    rng = np.random.default_rng(21)
    runs, periods = 1000, 60
    shared = 0.001 * np.exp(2 * np.sin(np.linspace(0, 6, periods)))
    n_p = rng.poisson(1200, (runs, periods))
    xp, xs = rng.binomial(n_p, shared), rng.binomial(n_p, shared)
    assert (both_limits(xs, n_p, xp, n_p, absolute=0.0002) >= BAR).any(axis=1).mean() <= 0.01


def test_errors_caused_by_the_request_in_both_variants_do_not_abort():
    rng = np.random.default_rng(22)
    runs, periods = 1000, 30
    n_p = rng.poisson(600, (runs, periods))
    both = rng.binomial(n_p, 0.02)
    assert (both_limits(both, n_p, both, n_p) >= BAR).any(axis=1).mean() == 0


def test_the_control_a_t_test_peeked_at_every_tick_does_abort_falsely():
    rng = np.random.default_rng(23)
    xs, ns, xp, n_p = windows(rng, shadow=0.02, production=0.02, runs=400, periods=60, sampling=1.0)
    rate_s, rate_p = xs / ns, xp / n_p
    p = [
        ttest_ind(rate_s[:, :look], rate_p[:, :look], axis=1, alternative="greater").pvalue
        for look in range(5, 61)
    ]
    assert (np.min(p, axis=0) < 0.01).mean() >= 0.05


def test_two_percent_of_errors_are_found_in_a_window_of_eight_short_periods():
    rng = np.random.default_rng(24)
    paths = both_limits(*windows(rng, shadow=0.02, production=0.0, runs=1000, periods=8))
    found = (paths >= BAR).any(axis=1)
    assert found.mean() >= 0.998


def test_periods_without_requests_of_a_variant_change_nothing():
    full = both_limits([3, 4], [300, 300], [0, 1], [600, 600])
    gaps = both_limits([3, 0, 0, 4], [300, 0, 300, 300], [0, 0, 0, 1], [600, 600, 0, 600])
    assert gaps[0] == pytest.approx(full[0])
    assert gaps[1] == pytest.approx(full[0])
    assert gaps[2] == pytest.approx(full[0])


@pytest.mark.parametrize(
    ("errors", "requests"), [([2], [1]), ([-1], [5]), ([np.nan], [5]), ([1], [np.inf]), ([1, 2], [5])]
)
def test_impossible_counts_are_refused_in_a_sentence(errors, requests):
    with pytest.raises(ValueError, match=r"errors|count|drop"):
        rate_log_e(errors, requests, 0.01)
    with pytest.raises(ValueError, match=r"errors|count|drop|periods"):
        both_limits(errors, requests, [0], [10])


def test_no_periods_are_no_evidence():
    assert both_limits([], [], [], []).size == 0


@pytest.mark.parametrize("alpha", [0, 1, -0.1, 2])
def test_an_alpha_outside_zero_and_one_is_refused(alpha):
    with pytest.raises(ValueError, match="alpha"):
        log_threshold(alpha)


def test_a_mixture_against_one_rate_is_calibrated_against_its_closed_form():
    # Both are mixtures over alternatives above the limit; far above it they must agree in the exponent.
    flat = binomial_log_e(40, 1960, 0.005)
    spaced = rate_log_e([40], [2000], 0.005)[0]
    assert spaced > flat  # the log-spaced prior wastes less weight
    assert spaced - flat < np.log(200)
