"""Limits of a mean that hold at every look, from the first period on."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from include.stats.calibration import log_hazard
from include.stats.noninferiority import LogRatio

LEAST_SEEN = 4  # ratios from which their own variance is believed where it exceeds the assumed one


def running_limits(
    ratios: ArrayLike, variances: ArrayLike, *, alpha: float, offset_sd: float = 0.0
) -> LogRatio:
    """Return the mean log ratio with limits that leave it out at any period of a window with chance 2 alpha at most.

    `ratios` are log(shadow / production), one finite number a period; `variances` what each of them varies by
    between equal variants on the same instances. The sum of the deviations stays within `normal_mixture_bound`
    of the sum of the variances, tuned to the first of them, so that the limits are tightest early; they exist
    from one period on. Where the ratios vary by more than was assumed, what was seen replaces it. The lasting offset
    `offset_sd` does not average out and is added in full, as in `log_ratio_limits`.

    Raises ValueError without a ratio, on shapes that differ, on a variance that is not above 0, or alpha
    outside (0, 0.5).
    """
    x, v = np.asarray(ratios, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    if x.ndim != 1 or x.shape != v.shape or not x.size:
        raise ValueError("ratios and variances must be one number each per period, of at least one period")
    if not (np.isfinite(x).all() and np.isfinite(v).all() and (v > 0).all()):
        raise ValueError("a ratio is not finite, or a variance is not above 0; drop that period")
    if not (0 < alpha < 0.5 and offset_sd >= 0):
        raise ValueError(f"alpha is {alpha} and offset_sd {offset_sd}; alpha lies in (0, 0.5), an sd is >= 0")
    if x.size >= LEAST_SEEN:
        v = v * max(1.0, float(np.var(x, ddof=1) / v.mean()))
    total = float(v.sum())
    reach = normal_mixture_bound(total, alpha=2 * alpha, rho=float(v[0])) / x.size
    reach = float(np.hypot(reach, norm.ppf(1 - alpha) * offset_sd))
    mean = float(x.mean())
    return LogRatio(
        mean=mean,
        lower=mean - reach,
        upper=mean + reach,
        error=float(np.hypot(np.sqrt(total) / x.size, offset_sd)),
        blocks=int(x.size),
        periods=int(x.size),
    )


def normal_mixture_bound(variance: float, *, alpha: float, rho: float) -> float:
    """Return what a sum of centred normal deviations, of that variance so far, ever leaves with chance alpha.

    sqrt((V + rho) log((V + rho) / (rho alpha^2))), on either side: Robbins's normal mixture (Robbins 1970; Howard
    et al. 2021, arXiv 1810.08240, eq. 14). `rho` was fixed before the deviations.
    """
    return float(np.sqrt((variance + rho) * np.log((variance + rho) / (rho * alpha**2))))


def quantile_variance(requests: ArrayLike, *, share: float, spread: float) -> np.ndarray:
    """Return the variance of the log of a sample quantile of so many requests each, lognormal around `share`.

    q (1 - q) / (n f^2) with the density f = (1 - q) h of log latency at the quantile (h its log hazard); at
    least one request. A variant's requests are taken to be independent.
    """
    n = np.maximum(np.asarray(requests, dtype=np.float64), 1.0)
    density = (1 - share) * log_hazard(share=share, spread=spread)
    return np.asarray(share * (1 - share) / (n * density**2), dtype=np.float64)
