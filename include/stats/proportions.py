"""Intervals for rates and for the difference and ratio of two rates, and the sample-ratio test."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.stats import beta, binomtest, norm
from scipy.stats import t as student

from include.stats.constrained import boundary_rates


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Errors among requests of one variant; born valid: 0 <= errors <= requests, at least one request."""

    errors: float
    requests: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.errors) and np.isfinite(self.requests)):
            raise ValueError(f"{self.errors} errors of {self.requests} requests; both must be finite")
        if not 0 <= self.errors <= self.requests or self.requests <= 0:
            raise ValueError(
                f"{self.errors:g} errors of {self.requests:g} requests; errors lie between 0 and requests, "
                "of which there must be at least one"
            )

    @property
    def rate(self) -> float:
        """Errors per request, between 0 and 1."""
        return self.errors / self.requests


def clopper_pearson(counts: Counts, *, alpha: float) -> tuple[float, float]:
    """Return exact one-sided limits of a rate, each wrong with probability at most alpha.

    Clopper & Pearson 1934: beta quantiles; (0, 1) at the ends of the range.
    """
    x, n = counts.errors, counts.requests
    lower = 0.0 if x == 0 else float(beta.ppf(_alpha(alpha), x, n - x + 1))
    upper = 1.0 if x == n else float(beta.ppf(1 - alpha, x + 1, n - x))
    return lower, upper


def score_statistic(
    shadow: Counts, production: Counts, *, ratio: float = 1.0, difference: float = 0.0, phi: float = 1.0
) -> float:
    """Return the score z of "p_shadow = ratio p_production + difference"; negative where the shadow is better.

    Miettinen & Nurminen 1985 (Statistics in Medicine 4:213-226) for a difference and for a ratio, with their
    factor N/(N-1) on the variance at the constrained estimate; `phi` multiplies it (see `period_design_effect`).
    """
    z = score_statistics(
        shadow.errors,
        shadow.requests,
        production.errors,
        production.requests,
        ratio=ratio,
        difference=difference,
    )
    return float(z / np.sqrt(phi))


def score_statistics(
    shadow_errors: ArrayLike,
    shadow_requests: ArrayLike,
    production_errors: ArrayLike,
    production_requests: ArrayLike,
    *,
    ratio: float = 1.0,
    difference: float = 0.0,
) -> NDArray[np.float64]:
    """Return `score_statistic` for arrays of counts that broadcast, each with at least one request."""
    xs, ns, xp, n_p = (
        np.asarray(v, dtype=np.float64)
        for v in (shadow_errors, shadow_requests, production_errors, production_requests)
    )
    p, q = boundary_rates(
        shadow_errors=xs,
        shadow_requests=ns,
        production_errors=xp,
        production_requests=n_p,
        ratio=ratio,
        difference=difference,
    )
    total = ns + n_p
    variance = (q * (1 - q) / ns + ratio**2 * p * (1 - p) / n_p) * total / np.maximum(total - 1, 1)
    # Rates of exactly 0 or 1 leave a variance of rounding errors: a tiny one means that nothing was learned.
    distance = xs / ns - ratio * xp / n_p - difference
    return np.asarray(distance / np.sqrt(np.maximum(variance, 1e-15)), dtype=np.float64)


def difference_upper(shadow: Counts, production: Counts, *, alpha: float, phi: float = 1.0) -> float:
    """Return the one-sided upper score limit of p_shadow - p_production (Miettinen & Nurminen 1985).

    The largest difference that its own score test does not reject at `alpha`; works with no errors at all.
    """
    z = float(norm.ppf(1 - _alpha(alpha)))
    observed = shadow.rate - production.rate

    def excess(difference: float) -> float:
        return _lopsided(shadow, production, difference, phi) + z

    # A difference of -1 or 1 leaves no rates to choose from: the line of equal differences misses the unit square.
    low, high = max(observed, -1 + 1e-9), 1 - 1e-9
    if observed >= high or excess(high) > 0:
        return 1.0
    return float(brentq(excess, low, high, xtol=1e-12, rtol=1e-12))


def ratio_upper(shadow: Counts, production: Counts, *, alpha: float, phi: float = 1.0) -> float:
    """Return the one-sided upper score limit of p_shadow / p_production; infinite where nothing bounds it.

    Miettinen & Nurminen 1985, the ratio's form. Production without errors bounds no ratio.
    """
    z = float(norm.ppf(1 - _alpha(alpha)))
    if production.errors == 0:
        return float("inf")
    low = max(shadow.rate / production.rate, 1e-9)
    high = low

    def excess(log_ratio: float) -> float:
        return score_statistic(shadow, production, ratio=float(np.exp(log_ratio)), phi=phi) + z

    while excess(float(np.log(high))) > 0:
        high *= 2
        if high > 1e9:
            return float("inf")
    if high == low:
        return float(low)
    return float(np.exp(brentq(excess, np.log(low), np.log(high), xtol=1e-10)))


# Fewer periods than this do not show how errors come, nor do fewer errors of either variant show what they share.
LEAST_PERIODS = 20
LEAST_ERRORS = 15


def period_design_effect(
    *,
    shadow_errors: ArrayLike,
    shadow_requests: ArrayLike,
    production_errors: ArrayLike,
    production_requests: ArrayLike,
    alpha: float,
) -> float:
    """Return the `phi` that makes score limits hold for errors that come in bursts or hit both variants alike.

    Counts are per period, shape (periods,). Both variants answer the same requests, so that an error which the
    request causes is counted in both and cancels in the difference, as a burst that hits both does; errors that
    one variant makes in bunches vary by more than a binomial's. The variance over periods of (shadow's errors -
    ratio x production's), at the ratio seen, says how much of either there is (a sandwich variance); it is
    estimated from few periods, so phi also holds the square of t / z at `alpha`, with the degrees of freedom of
    that estimate. phi may lie below 1. It is 1 with fewer than `LEAST_PERIODS` periods with requests of both, and
    at least 1 with fewer than `LEAST_ERRORS` errors of either.
    """
    z = float(norm.ppf(1 - _alpha(alpha)))
    xs, ns, xp, n_p = (
        np.asarray(v, dtype=np.float64)
        for v in (shadow_errors, shadow_requests, production_errors, production_requests)
    )
    used = (ns > 0) & (n_p > 0)
    xs, ns, xp, n_p = (v[used] for v in (xs, ns, xp, n_p))
    periods = xs.size
    if periods < LEAST_PERIODS or not xs.sum() or not xp.sum():
        return 1.0
    expected = (xs.sum() / ns.sum()) / (xp.sum() / n_p.sum()) * ns / n_p
    squares = (xs - expected * xp) ** 2
    seen = float(squares.sum()) * periods / (periods - 1)
    binomial = float(xs.sum() + (expected**2 * xp).sum())
    if not seen > 0:
        return 1.0
    off = float(((squares - squares.mean()) ** 2).sum())
    freedom = min(periods - 1.0, 2 * seen**2 / off) if off > 0 else periods - 1.0
    phi = seen / binomial * float(student.ppf(1 - alpha, freedom) / z) ** 2
    return phi if min(xs.sum(), xp.sum()) >= LEAST_ERRORS else max(1.0, phi)


def sample_ratio_p(*, shadow: int, production: int, sampling: float) -> float:
    """Return the two-sided exact p-value of `shadow` copies among `production` requests at rate `sampling`.

    A small value is a sample-ratio mismatch: the shadow did not see the traffic it was to see. More copies
    than requests, or a mismatch at sampling 1, has p-value 0. Raises ValueError on impossible arguments.
    """
    if not 0 < sampling <= 1:
        raise ValueError(f"sampling is {sampling}; it must be above 0 and at most 1")
    if production < 1 or shadow < 0:
        raise ValueError(f"{shadow} copies of {production} requests; there must be at least one request")
    if shadow > production:
        return 0.0
    return float(binomtest(shadow, production, sampling).pvalue)


def _lopsided(shadow: Counts, production: Counts, difference: float, phi: float) -> float:
    """Score z at any difference; below zero the roles are exchanged, so that the line starts at a rate."""
    if difference >= 0:
        return score_statistic(shadow, production, difference=difference, phi=phi)
    return -score_statistic(production, shadow, difference=-difference, phi=phi)


def _alpha(alpha: float) -> float:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}; it must be between 0 and 1")
    return alpha
