"""Evidence that stays valid however often it is looked at.

An e-process starts at 1 and, while its null hypothesis is true, has expectation at most 1 at every
stopping time; by Ville's inequality it ever reaches 1/alpha with probability at most alpha. All functions
return natural logarithms. A period without data multiplies by one, which keeps the guarantee.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlog1py, xlogy

from include.stats.constrained import boundary_rates

Floats = NDArray[np.float64]

# Effects that the mixtures look for, as multiples of the limit: log-spaced, so that a rate just above the
# limit and one thirty times above it are both found soon. Any fixed choice is valid.
MULTIPLES = (1.4, 2.0, 3.0, 5.0, 10.0, 30.0)
# Guesses of production's error rate used until production has been seen; forgotten after a few errors.
FIRST_RATES = (1e-3, 2e-2)
PRIOR_ERRORS = 0.5


def log_threshold(alpha: float) -> float:
    """Return log(1/alpha): evidence at or above it rejects with error probability at most alpha."""
    _require(0 < alpha < 1, f"alpha is {alpha}; it must be between 0 and 1")
    return float(-np.log(alpha))


def mixed(paths: Floats, weights: ArrayLike | None = None) -> Floats:
    """Return the log of the weighted mean of e-processes over the last axis of their logs; equal weights by default.

    A mean of e-processes with weights fixed beforehand is one. This runs dozens of times a look: scipy's logsumexp,
    which does the same for any array library, takes several times as long.
    """
    top = paths.max(axis=-1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    grown = np.exp(paths - top)
    mean = grown.mean(axis=-1) if weights is None else grown @ np.asarray(weights, dtype=np.float64)
    with np.errstate(divide="ignore"):  # none of them has anything left: the log of 0
        return np.asarray(np.log(mean) + top[..., 0], dtype=np.float64)


def rate_log_e(errors: ArrayLike, requests: ArrayLike, limit: float, *, phi: float = 1.0) -> Floats:
    """Return, after each period, the log e-process against "the error rate is at most `limit`".

    `errors` and `requests` are counts per period, shape (..., periods). The likelihood ratio is mixed over
    `MULTIPLES` of the limit (a log-uniform prior: a uniform one over (limit, 1) wastes its weight on rates
    that no service has). Rates may differ from period to period as long as each is at most the limit.
    Raises ValueError on impossible counts, a limit outside (0, 1), or phi below 1.
    """
    _require(0 < limit < 1, f"the limit is {limit}; it must be between 0 and 1")
    _require_phi(phi)
    x, n = _counts(errors, requests)
    rates = np.unique(np.minimum(np.array(MULTIPLES) * limit, (1 + limit) / 2))
    gain = xlogy(x[..., None], rates / limit) + xlog1py((n - x)[..., None], (limit - rates) / (1 - limit))
    paths = np.cumsum(gain, axis=-2) / phi
    return mixed(paths)


def excess_log_e(
    *,
    shadow_errors: ArrayLike,
    shadow_requests: ArrayLike,
    production_errors: ArrayLike,
    production_requests: ArrayLike,
    ratio: float = 1.0,
    difference: float = 0.0,
    phi: float = 1.0,
) -> Floats:
    """Return, after each period, the log e-process against p_shadow <= ratio p_production + difference.

    All counts are per period, shape (..., periods): leading axes hold independent runs. Both rates are unknown and may change from period to period,
    together or apart, as long as the inequality holds in each; production may have no errors at all, and the
    numbers of requests may differ. For each period an alternative (a_p, a_s) is fixed from *earlier* periods;
    it is divided by its Kullback-Leibler projection (b_p, b_s) on the null, weighted by the period's requests.
    The null is convex, so the ratio has expectation at most 1 under each of its members: the expectation's
    log is concave in the rates, zero at b, and its slope there points out of the null (Turner, Ly & Grünwald
    2024, "Generic e-variables for exact sequential k-sample tests", arXiv 2106.02693; Turner & Grünwald 2023,
    arXiv 2203.09785). Errors that a request causes in both variants only make it smaller. The result mixes
    over `MULTIPLES` of the limit and over `FIRST_RATES` of production.

    Raises ValueError on impossible counts, ratio < 1, difference outside [0, 1), or phi below 1.
    """
    _require(bool(np.isfinite(ratio)) and ratio >= 1, f"the ratio is {ratio}; it must be at least 1")
    _require(0 <= difference < 1, f"the difference is {difference}; it must be at least 0 and below 1")
    _require_phi(phi)
    xs, ns = _counts(shadow_errors, shadow_requests)
    xp, n_p = _counts(production_errors, production_requests)
    _require(xs.shape == xp.shape, "shadow and production cover different numbers of periods")
    if xs.size == 0:
        return np.zeros(xs.shape)
    before_x, before_n = (np.cumsum(v, axis=-1) - v for v in (xp, n_p))
    guess = np.tile(FIRST_RATES, len(MULTIPLES))
    multiple = np.repeat(MULTIPLES, len(FIRST_RATES))
    production = (before_x[..., None] + PRIOR_ERRORS) / (before_n[..., None] + PRIOR_ERRORS / guess)
    at_limit = np.minimum(ratio * production + difference, 0.9)
    # A rate cannot exceed one: large multiples of a large limit go nine tenths of the way that is left.
    shadow = np.minimum(multiple * at_limit, at_limit + 0.9 * (1 - at_limit))
    xs, ns, xp, n_p = (v[..., None] for v in (xs, ns, xp, n_p))
    null_p, null_s = boundary_rates(
        shadow_errors=ns * shadow,
        shadow_requests=ns,
        production_errors=n_p * production,
        production_requests=n_p,
        ratio=ratio,
        difference=difference,
    )
    gain = (
        xlogy(xs, shadow / null_s)
        + (ns - xs) * (np.log1p(-shadow) - np.log1p(-null_s))
        + xlogy(xp, production / null_p)
        + (n_p - xp) * (np.log1p(-production) - np.log1p(-null_p))
    )
    gain = np.where((ns > 0) & (n_p > 0), gain, 0.0)  # one variant alone says nothing about a difference
    paths = np.cumsum(gain, axis=-2) / phi
    return mixed(paths)


def _counts(errors: ArrayLike, requests: ArrayLike) -> tuple[Floats, Floats]:
    x, n = np.asarray(errors, dtype=np.float64), np.asarray(requests, dtype=np.float64)
    _require(x.shape == n.shape and x.ndim >= 1, "errors and requests must be one count each per period")
    _require(bool(np.isfinite(x).all() and np.isfinite(n).all()), "a count is not finite; drop that period")
    _require(
        bool((x >= 0).all() and (x <= n).all()), "a period has more errors than requests, or fewer than 0"
    )
    return x, n


def _require_phi(phi: float) -> None:
    _require(bool(np.isfinite(phi)) and phi >= 1, f"phi is {phi}; a design effect is finite and at least 1")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)
