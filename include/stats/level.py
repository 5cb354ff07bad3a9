"""The level of a series over a window, and whether it grows: limits from the means of blocks of periods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student

from include.stats.noninferiority import block_means
from include.stats.paired import mean_limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The mean of a series with one-sided limits, in the series' unit."""

    mean: float
    lower: float
    upper: float
    blocks: int


def level_limits(values: ArrayLike, *, alpha: float, block: int = 1) -> Level:
    """Return the mean of `values`, one per period, with one-sided t limits from the means of `block` periods.

    Averaging successive periods first keeps what lasts from being counted as independent (batch means: Law 1983).
    Raises ValueError with fewer than two blocks or on values that are not finite.
    """
    series = np.asarray(values, dtype=np.float64)
    blocks = series.size // block if block >= 1 else 0
    if series.ndim != 1 or blocks < 2 or not np.isfinite(series).all():
        raise ValueError(
            f"{series.size} periods make {blocks} blocks of {block}; a limit needs two, of finite values only"
        )
    means = block_means(series, blocks)
    mean = float(means.mean())
    lower, upper = mean_limits(mean=mean, sd=float(means.std(ddof=1)), n=blocks, alpha=alpha)
    return Level(mean=mean, lower=lower, upper=upper, blocks=blocks)


def least_growth(values: ArrayLike, *, alpha: float, block: int = 1) -> float | None:
    """Return the one-sided lower limit of a straight line's slope through the block means, per period.

    Least squares with t limits of blocks - 2 degrees of freedom; None with fewer than four blocks, through which a line
    lies by chance. Raises ValueError on values that are not finite.
    """
    series = np.asarray(values, dtype=np.float64)
    if not np.isfinite(series).all():
        raise ValueError("a value is missing or infinite; drop that period")
    blocks = series.size // block
    if blocks < 4:
        return None
    means, middles = block_means(series, blocks), block_means(np.arange(series.size, dtype=float), blocks)
    away = middles - middles.mean()
    slope = float(away @ means / (away @ away))
    rest = means - means.mean() - slope * away
    error = float(np.sqrt(rest @ rest / (blocks - 2) / (away @ away)))
    return slope - float(student.ppf(1 - alpha, blocks - 2)) * error
