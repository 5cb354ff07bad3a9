"""Two variants that answered the same requests: intervals and running evidence that use the pairing.

Of n pairs, `shadow_only` had the event (an error, a positive decision) in the shadow alone and `production_only` in
production alone; pairs in which both or neither had it cancel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.stats import norm
from scipy.stats import t as student

from include.stats.quantiles import exceedance_log_e

Floats = NDArray[np.float64]

# Log ratios that lie closer together than this are as good as equal.
LEAST_SPREAD = 1e-3
QUARTILES = 1.349  # the distance between a normal distribution's, in its sd
# Odds of a pair being slower than the margin that the mixture of signs looks for; any fixed choice is valid.
SLOWER_ODDS = (1.2, 1.5, 2.0, 4.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Discordance:
    """The discordant pairs among `pairs`; born valid: counts are at least 0, and no more than there are pairs."""

    shadow_only: float
    production_only: float
    pairs: float

    def __post_init__(self) -> None:
        counts = (self.shadow_only, self.production_only, self.pairs)
        if not all(np.isfinite(count) and count >= 0 for count in counts) or self.pairs <= 0:
            raise ValueError(
                f"{self.shadow_only} and {self.production_only} discordant of {self.pairs} pairs; counts are finite and "
                "at least 0, of at least one pair"
            )
        if self.shadow_only + self.production_only > self.pairs:
            raise ValueError(
                f"{self.shadow_only:g} + {self.production_only:g} discordant pairs are more than the {self.pairs:g} there are"
            )

    @property
    def difference(self) -> float:
        """The shadow's rate minus production's, between -1 and 1."""
        return (self.shadow_only - self.production_only) / self.pairs


def tango_limits(found: Discordance, *, alpha: float, phi: float = 1.0) -> tuple[float, float]:
    """Return one-sided score limits of the difference of two paired rates, each wrong with probability about alpha.

    Tango 1998 (Statistics in Medicine 17:891-908): the differences that their own score test does not reject, with the
    production-only probability estimated under each. It works without any discordant pair. `phi` >= 1 is the design
    effect of pairs that are worth less than one.
    """
    z = float(norm.ppf(1 - _alpha(alpha)))
    scale = _design(phi)

    def upper(shadow_only: float, production_only: float) -> float:
        b, c, n = shadow_only, production_only, found.pairs
        observed = (b - c) / n

        def excess(difference: float) -> float:
            return _tango_z(b, c, n, difference) / scale + z

        top = 1.0 - 1e-12
        if observed >= top or excess(top) > 0:
            return 1.0
        return float(brentq(excess, observed, top, xtol=1e-13, rtol=1e-12))

    return (
        -upper(found.production_only, found.shadow_only),
        upper(found.shadow_only, found.production_only),
    )


def mean_limits(*, mean: float, sd: float, n: float, alpha: float, phi: float = 1.0) -> tuple[float, float]:
    """Return one-sided t limits of the mean of paired differences, each wrong with probability about alpha.

    Both within (-margin, margin) is the test of equivalence by two one-sided tests at alpha (Schuirmann 1987).
    Raises ValueError with fewer than two effective pairs, or on numbers that are not finite.
    """
    effective = n / _design(phi) ** 2
    if not (np.isfinite(mean) and np.isfinite(sd) and sd >= 0 and effective >= 2):
        raise ValueError(
            f"a mean of {mean} with sd {sd} over {effective:g} pairs has no interval; it needs finite numbers and two pairs"
        )
    reach = float(student.ppf(1 - _alpha(alpha), effective - 1)) * sd / float(np.sqrt(effective))
    return mean - reach, mean + reach


def slower_log_e(slower: ArrayLike, pairs: ArrayLike, *, phi: ArrayLike = 1.0) -> Floats:
    """Return, after each period, the log e-process against "at most half of the pairs are slower than the margin".

    Counts per period, shape (periods,): of `pairs` that both variants timed, those whose log ratio exceeds
    log(1 + margin). If the shadow is at most the margin slower and noise strikes either variant alike, that is a fair
    coin at worst, among all pairs and among those chosen by anything that stays the same when the two times are
    exchanged, such as the slowest by their product (the sign test of Arbuthnot 1710 as the likelihood ratio of
    Robbins 1970, mixed over `SLOWER_ODDS`). `phi` >= 1, one number or one per period, tempers for jitter that strikes
    a whole period; it must not depend on the signs or on a later period.
    Raises ValueError on impossible counts or phi below 1.
    """
    k, n = np.asarray(slower, dtype=np.float64), np.asarray(pairs, dtype=np.float64)
    # With as many of each to choose from, a sign is an event of the shadow's or of production's with equal chance.
    return exceedance_log_e(
        shadow_over=k,
        production_over=n - k,
        shadow_requests=n,
        production_requests=n,
        phi=phi,
        odds=SLOWER_ODDS,
    )


def sign_hazard(spread: ArrayLike) -> Floats:
    """Return by how much the log odds of "slower" rise with the log latency of one variant, for `Noise.design_effect`.

    `spread` is the distance between the quartiles of a period's log ratios. Odds of 1 rise by four times the density
    there, which of a normal distribution is 4 phi(0) 1.349 / spread. Where calls of one variant hardly differ the
    period moves as a whole, its spread is small, and all its pairs are worth little more than one.
    """
    between = np.asarray(spread, dtype=np.float64)
    return np.asarray(4 * norm.pdf(0) * QUARTILES / np.maximum(between, LEAST_SPREAD), dtype=np.float64)


def _tango_z(b: float, c: float, n: float, difference: float) -> float:
    """Return the score z of "the paired difference is `difference`" (Tango 1998, equations 7 to 9)."""
    linear = (2 * n - b + c) * difference - b - c
    constant = -c * difference * (1 - difference)
    only_production = (np.sqrt(max(0.0, linear**2 - 8 * n * constant)) - linear) / (4 * n)
    variance = n * (2 * only_production + difference * (1 - difference))
    return float((b - c - n * difference) / np.sqrt(max(variance, 1e-15)))


def _design(phi: float) -> float:
    if not (np.isfinite(phi) and phi >= 1):
        raise ValueError(f"phi is {phi}; a design effect is finite and at least 1")
    return float(np.sqrt(phi))


def _alpha(alpha: float) -> float:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}; it must be between 0 and 1")
    return alpha
