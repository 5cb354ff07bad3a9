"""Two readings of one test err together exactly as often as one may."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm
from scipy.stats import t as student

from include.stats.calibration import calibrate, lasting_jitter
from include.stats.noninferiority import log_ratio_limits
from include.stats.spending import neither_beyond, reading_alphas

ALPHAS = (0.001, 0.01, 0.05, 0.2)
FRACTIONS = (0.01, 0.25, 0.5, 8 / 11, 0.9, 0.999)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("fraction", FRACTIONS)
def test_both_readings_together_spend_alpha_where_they_correlate_less_than_they_do(alpha, fraction):
    first, second = reading_alphas(alpha, fraction)
    correlation = fraction**0.75
    together = multivariate_normal(cov=[[1, correlation], [correlation, 1]])
    assert 1 - together.cdf(norm.isf([first, second])) == pytest.approx(alpha, rel=1e-4)
    assert 0 < first < alpha
    assert alpha - first < second < alpha


def test_the_closed_form_is_the_joint_normal_law():
    for correlation in (0.0, 0.3, 0.7, 0.99):
        for limits in ((0.1, 2.0), (1.6, 1.7), (3.0, 1.6), (2.0, 2.0)):
            expected = multivariate_normal(cov=[[1, correlation], [correlation, 1]]).cdf(limits)
            assert neither_beyond(*limits, correlation=correlation) == pytest.approx(expected, abs=1e-5)


def test_the_later_the_first_reading_the_more_it_spends():
    firsts = [reading_alphas(0.05, fraction)[0] for fraction in FRACTIONS]
    assert firsts == sorted(firsts)


def test_a_window_that_cannot_be_extended_is_read_at_the_whole_of_alpha():
    assert reading_alphas(0.05, 1.0) == (0.05, 0.05)
    assert reading_alphas(0.05, 0.99999)[0] == pytest.approx(0.05, rel=1e-3)


@pytest.mark.parametrize(("alpha", "fraction"), [(0, 0.5), (0.5, 0.5), (0.05, 0), (0.05, 1.1)])
def test_what_cannot_be_spent_is_refused(alpha, fraction):
    with pytest.raises(ValueError, match="alpha lies in"):
        reading_alphas(alpha, fraction)


def test_more_would_be_spent_if_the_readings_were_taken_for_one():
    """The control: reading twice at the whole of alpha."""
    assert 1 - neither_beyond(*norm.isf([0.05, 0.05]), correlation=0.5**0.5) > 0.07


@pytest.mark.parametrize(("blocks", "longest"), [(2, 4), (4, 8), (8, 11), (12, 24), (12, 48)])
def test_t_limits_of_few_blocks_err_no_oftener_than_alpha_over_both_readings(blocks, longest):
    """Variances estimated from blocks; two tenths of a point are allowed where there are only two, and four, of them."""
    runs, alpha = 100_000, 0.05
    rng = np.random.default_rng(longest)
    means = rng.normal(size=(runs, longest))
    passed = np.zeros(runs, dtype=bool)
    for level, m in zip(reading_alphas(alpha, blocks / longest), (blocks, longest), strict=True):
        seen = means[:, :m]
        error = seen.std(axis=1, ddof=1) / m**0.5
        passed |= seen.mean(axis=1) + student.ppf(1 - level, m - 1) * error < 0
    assert passed.mean() <= alpha + (0.003 if blocks == 2 else 0.0) + 2 * (alpha * (1 - alpha) / runs) ** 0.5


def test_at_the_margin_jitter_that_lasts_passes_no_oftener_than_alpha_over_both_readings():
    """Jitter that remembers 0.6 of the period before, in blocks of five: blocks alone err half as often again."""
    runs, length, memory, margin, alpha = 1000, 60, 0.6, np.log(1.1), 0.05
    rng = np.random.default_rng(7)
    jitter = rng.normal(0, 0.03 * 2**0.5, size=(runs, 2 * length))
    jitter[:, 1:] *= (1 - memory**2) ** 0.5
    for i in range(1, 2 * length):
        jitter[:, i] += memory * jitter[:, i - 1]
    ratios = margin + jitter + rng.normal(0, 0.015, size=jitter.shape)
    passed, blocks_alone = 0, 0
    for shadow in ratios:
        found, alone = [], []
        for level, n in zip(reading_alphas(alpha, 0.5), (length, 2 * length), strict=True):
            seen = shadow[:n]
            taught = calibrate(seen, np.full(n, 0.02**2), rollout_id="")
            for kept, least in ((found, lasting_jitter(taught) / n), (alone, 0.0)):
                limits = log_ratio_limits(
                    np.exp(seen), np.ones(n), alpha=level, block=5, least_variance=least
                )
                kept.append(limits.upper < margin)
        passed, blocks_alone = passed + any(found), blocks_alone + any(alone)
    chance = (alpha * (1 - alpha) / runs) ** 0.5
    assert passed / runs <= alpha + chance
    assert blocks_alone / runs >= alpha + 2 * chance
