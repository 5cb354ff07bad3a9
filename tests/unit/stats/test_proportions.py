"""Intervals for rates, against scipy and statsmodels."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest, norm
from statsmodels.stats.proportion import (
    confint_proportions_2indep,
    proportion_confint,
    score_test_proportions_2indep,
)

from include.stats.proportions import (
    Counts,
    clopper_pearson,
    difference_upper,
    period_design_effect,
    ratio_upper,
    sample_ratio_p,
    score_statistic,
    score_statistics,
)

SAMPLES = [(20, 2400, 3, 4800), (5, 50, 9, 60), (30, 40, 10, 50), (3, 2000, 60, 4000), (12, 700, 12, 700)]


def counts(sample):
    xs, ns, xp, n_p = sample
    return Counts(errors=xs, requests=ns), Counts(errors=xp, requests=n_p)


@pytest.mark.parametrize(("x", "n"), [(0, 10), (3, 10), (10, 10), (7, 5000)])
def test_exact_limits_agree_with_statsmodels(x, n):
    sample = Counts(errors=x, requests=n)
    assert clopper_pearson(sample, alpha=0.025) == pytest.approx(
        proportion_confint(x, n, alpha=0.05, method="beta"), abs=1e-12
    )


def cubic_score(xs, ns, xp, n_p, difference):
    """The closed form of Miettinen & Nurminen 1985, appendix I, in their own symbols (0 is production)."""
    n, c = ns + n_p, xs + xp
    l2 = (ns + 2 * n_p) * difference - n - c
    l1 = (n_p * difference - n - 2 * xp) * difference + c
    l0 = xp * difference * (1 - difference)
    q = l2**3 / (3 * n) ** 3 - l1 * l2 / (6 * n**2) + l0 / (2 * n)
    p = np.sign(q) * np.sqrt(l2**2 / (3 * n) ** 2 - l1 / (3 * n))
    angle = (np.pi + np.arccos(q / p**3)) / 3
    rate = 2 * p * np.cos(angle) - l2 / (3 * n)
    above = rate + difference
    variance = (above * (1 - above) / ns + rate * (1 - rate) / n_p) * n / (n - 1)
    return (xs / ns - xp / n_p - difference) / np.sqrt(variance)


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("difference", [0.001, 0.05, 0.3])
def test_the_score_of_a_difference_is_that_of_the_published_cubic(sample, difference):
    ours = score_statistic(*counts(sample), difference=difference)
    assert ours == pytest.approx(cubic_score(*sample, difference), rel=1e-6)
    # statsmodels 0.15 has production's errors where the cubic's middle coefficient has its requests, which
    # moves its constrained estimate a little: near, but not the oracle here.
    theirs = score_test_proportions_2indep(
        *sample, value=difference, compare="diff", correction=True, return_results=False
    )[0]
    assert ours == pytest.approx(theirs, rel=0.06)


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_upper_limit_of_the_ratio_agrees_with_statsmodels(sample):
    _, expected = confint_proportions_2indep(*sample, compare="ratio", method="score", alpha=0.1)
    assert ratio_upper(*counts(sample), alpha=0.05) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("sample", [*SAMPLES, (0, 2400, 0, 4800), (1, 2400, 0, 4800), (0, 30, 5, 40)])
@pytest.mark.parametrize("alpha", [0.05, 0.025, 0.001])
def test_the_upper_limit_of_the_difference_is_where_its_own_test_stops_rejecting(sample, alpha):
    shadow, production = counts(sample)
    upper = difference_upper(shadow, production, alpha=alpha)
    if upper >= 0:
        z = score_statistic(shadow, production, difference=upper)
    else:
        z = -score_statistic(production, shadow, difference=-upper)
    assert z == pytest.approx(float(norm.ppf(alpha)), abs=1e-5)
    assert shadow.rate - production.rate < upper <= 1


def test_no_errors_at_all_still_give_a_limit_and_it_shrinks_with_the_requests():
    limits = [
        difference_upper(Counts(errors=0, requests=n), Counts(errors=0, requests=2 * n), alpha=0.05)
        for n in (100, 1000, 10_000)
    ]
    assert limits == sorted(limits, reverse=True)
    # Close to the exact limit of a single rate without errors, 1 - alpha^(1/n).
    assert limits[1] == pytest.approx(1 - 0.05 ** (1 / 1000), rel=0.15)


@pytest.mark.parametrize(("shadow", "production"), [(0.005, 0.0), (0.015, 0.01), (0.105, 0.1)])
def test_a_shadow_exactly_at_the_limit_passes_at_most_about_alpha_of_the_time(shadow, production):
    # Exact: summed over every pair of counts that has any weight.
    ns, n_p, alpha, limit = 1200, 2400, 0.05, 0.005
    xs = np.arange(*binom.interval(1 - 1e-7, ns, shadow) + np.array([0, 1])).astype(int)
    xp = (
        np.arange(*binom.interval(1 - 1e-7, n_p, production) + np.array([0, 1])).astype(int)
        if production
        else np.array([0])
    )
    passing = 0.0
    for b in xp:
        for a in xs:
            z = score_statistic(
                Counts(errors=a, requests=ns), Counts(errors=b, requests=n_p), difference=limit
            )
            if z >= -1.6449:
                break
            passing += binom.pmf(a, ns, shadow) * binom.pmf(b, n_p, production)
    assert passing <= alpha * 1.25


def test_production_without_errors_bounds_no_ratio():
    assert ratio_upper(*counts((0, 100, 0, 100)), alpha=0.05) == float("inf")


def test_a_sample_ratio_is_tested_exactly():
    assert sample_ratio_p(shadow=2400, production=4800, sampling=0.5) == pytest.approx(1)
    assert sample_ratio_p(shadow=2200, production=4800, sampling=0.5) == pytest.approx(
        binomtest(2200, 4800, 0.5).pvalue
    )
    assert sample_ratio_p(shadow=4800, production=4800, sampling=1.0) == 1
    assert sample_ratio_p(shadow=4799, production=4800, sampling=1.0) == 0
    assert sample_ratio_p(shadow=4801, production=4800, sampling=0.5) == 0


@pytest.mark.parametrize(
    ("errors", "requests"), [(1, 0), (-1, 5), (6, 5), (float("nan"), 5), (0, float("inf")), (0, 0)]
)
def test_impossible_counts_are_refused(errors, requests):
    with pytest.raises(ValueError, match="requests"):
        Counts(errors=errors, requests=requests)


def errors_by_period(rng, runs, *, periods=60, requests=1200, rate=0.001, ratio=1.0, shared=0.5, bunches=0.0):
    """Return counts a period: bursts that hit both, requests that fail in both, and the shadow's own bunches."""
    n = rng.poisson(requests * rng.uniform(0.75, 1.25, (runs, periods)))
    burst = np.where(rng.random((runs, periods)) < 0.04, 4, 1)
    both = rng.binomial(n, min(1, ratio) * rate * shared * burst)
    production = both + rng.binomial(n, rate * burst - min(1, ratio) * rate * shared * burst)
    own = ratio * rate * burst - min(1, ratio) * rate * shared * burst
    if bunches:
        own = own * rng.gamma(1 / bunches, bunches, (runs, periods))
    return tuple(np.asarray(v, dtype=float) for v in (both + rng.binomial(n, own), n, production, n))


def design_effects(counts, alpha=0.025):
    names = ("shadow_errors", "shadow_requests", "production_errors", "production_requests")
    return np.array(
        [
            period_design_effect(**dict(zip(names, run, strict=True)), alpha=alpha)
            for run in zip(*counts, strict=True)
        ]
    )


def passes(counts, *, phi=1.0, **line):
    """Say which runs a reading at 2.5 % passes."""
    z = score_statistics(*(v.sum(axis=1) for v in counts), **line)
    return z < -norm.ppf(0.975) * np.sqrt(phi)


@pytest.mark.parametrize("shared", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("rate", [0.0005, 0.005])
def test_errors_that_requests_cause_are_not_counted_twice_against_the_shadow(shared, rate):
    rng = np.random.default_rng(30)
    at_limit = errors_by_period(rng, 1000, rate=rate, ratio=1.5, shared=shared)
    assert passes(at_limit, phi=design_effects(at_limit), ratio=1.5).mean() <= 0.045
    equal = errors_by_period(rng, 500, rate=rate, shared=shared)
    plain, narrowed = passes(equal, ratio=1.5), passes(equal, phi=design_effects(equal), ratio=1.5)
    if shared:
        assert narrowed.mean() >= plain.mean() - 0.002
    if shared and rate < 0.001:
        assert narrowed.mean() >= plain.mean() + 0.1
    assert narrowed.mean() >= plain.mean() - 0.05


def test_the_difference_keeps_its_error_too():
    rng = np.random.default_rng(31)
    at_limit = errors_by_period(rng, 1000, requests=6000, rate=0.0001, ratio=3.0)
    assert passes(at_limit, phi=design_effects(at_limit), difference=0.0002).mean() <= 0.045


def test_errors_that_one_variant_makes_in_bunches_widen_the_limits():
    rng = np.random.default_rng(32)
    at_limit = errors_by_period(rng, 1000, rate=0.003, ratio=1.5, shared=0.0, bunches=2.0)
    assert passes(at_limit, ratio=1.5).mean() > 0.08
    assert passes(at_limit, phi=design_effects(at_limit), ratio=1.5).mean() <= 0.06


def test_few_periods_or_few_errors_narrow_nothing():
    rng = np.random.default_rng(33)
    assert (design_effects(errors_by_period(rng, 50, periods=8, rate=0.01)) == 1).all()
    assert (design_effects(errors_by_period(rng, 50, rate=0.0001)) >= 1).all()
    assert (design_effects(tuple(np.zeros((1, 30)) + v for v in (0.0, 9.0, 0.0, 9.0))) == 1).all()


@pytest.mark.parametrize("n", [1, 2, 50, 10_000_000])
def test_one_variant_that_fails_always_beside_one_that_never_does_has_limits(n):
    never, always = Counts(errors=0, requests=n), Counts(errors=n, requests=n)
    assert difference_upper(always, never, alpha=0.05) == 1
    assert -1 <= difference_upper(never, always, alpha=0.05) < 0.5
