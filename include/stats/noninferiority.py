"""Whether the shadow's latency is at most a margin above production's."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRatio:
    """The mean log ratio of shadow to production over periods, with one-sided limits."""

    mean: float  # of log(shadow / production)
    lower: float
    upper: float
    error: float  # standard error, persistent offset included
    blocks: int
    periods: int

    @property
    def ratio(self) -> float:
        """The geometric mean ratio shadow / production."""
        return float(np.exp(self.mean))

    @property
    def ratio_limits(self) -> tuple[float, float]:
        """The limits as ratios."""
        return float(np.exp(self.lower)), float(np.exp(self.upper))


def log_ratio_limits(
    shadow: ArrayLike,
    production: ArrayLike,
    *,
    alpha: float,
    block: int = 1,
    offset_sd: float = 0.0,
    least_variance: float = 0.0,
) -> LogRatio:
    """Return the mean over periods of log(shadow / production) with one-sided t limits from block means.

    `shadow` and `production` hold one positive quantile per period (any unit, the same for both), shape
    (periods,); the caller has dropped a period for both where one is missing. Averaging `block` successive
    periods first keeps autocorrelated jitter from being counted as independent (batch means: Law 1983);
    periods that fill no block are spread over the others. `offset_sd` is the calibrated sd of the persistent
    log offset between two equal variants on different instances: it does not average out over periods, so it
    is added to the standard error in full. As it is not estimated from these blocks, the degrees of freedom are
    those of the sum of both variances (Satterthwaite 1946). `least_variance` is the variance of the mean that
    noise known beforehand implies: jitter that outlasts a block makes blocks agree by chance. Noise shared by
    both variants cancels in the ratio.

    Raises ValueError with fewer than two blocks, or on values that are not finite and positive.
    """
    a, b = np.asarray(shadow, dtype=np.float64), np.asarray(production, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError("shadow and production must hold one quantile each for the same periods")
    if not (np.isfinite(a).all() and np.isfinite(b).all() and (a > 0).all() and (b > 0).all()):
        raise ValueError(
            "a latency quantile is missing, infinite, zero or negative; drop that period for both"
        )
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}; it must be between 0 and 1")
    if block < 1 or offset_sd < 0 or not 0 <= least_variance < np.inf:
        raise ValueError(
            f"block is {block} periods, offset_sd {offset_sd} and least_variance {least_variance}; "
            "at least 1, 0 and 0 are needed"
        )
    blocks = a.size // block
    if blocks < 2:
        raise ValueError(
            f"{a.size} periods make {blocks} blocks of {block}; two blocks are needed for an interval"
        )
    ratios = np.log(a) - np.log(b)
    means = block_means(ratios, blocks)
    mean = float(np.mean(ratios))
    estimated = max(float(np.var(means, ddof=1) / blocks), least_variance)
    error = float(np.sqrt(estimated + offset_sd**2))
    reach = float(student.ppf(1 - alpha, freedom(estimated, offset_sd, blocks))) * error
    return LogRatio(
        mean=mean, lower=mean - reach, upper=mean + reach, error=error, blocks=blocks, periods=int(a.size)
    )


def freedom(estimated: float, offset_sd: float, blocks: int) -> float:
    """Return the degrees of freedom of a variance estimated from blocks plus a known one (Satterthwaite 1946)."""
    if estimated <= 0:
        return float("inf") if offset_sd > 0 else blocks - 1.0
    return (blocks - 1) * float(((estimated + offset_sd**2) / estimated) ** 2)


def block_means(values: NDArray[np.float64], blocks: int) -> NDArray[np.float64]:
    """Return the means of `blocks` runs of successive values whose lengths differ by at most one."""
    return np.array([part.mean() for part in np.array_split(values, blocks)])
