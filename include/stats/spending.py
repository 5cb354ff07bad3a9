"""How the error of a test that is read twice is spread over its two readings."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri, owens_t

# The first reading spends alpha * fraction^POWER, the second is taken to correlate with it by fraction^CORRELATION.
# Normal statistics correlate by the root; t statistics of few blocks less, and so do the readings of a window that a
# person lengthened. Why these two numbers: docs/adr/0006-two-readings-share-alpha.md.
POWER = 1.5
CORRELATION = 0.75


@lru_cache(maxsize=256)
def reading_alphas(alpha: float, fraction: float) -> tuple[float, float]:
    """Return the errors of the first and of the second reading whose chance to err at all is at most `alpha`.

    One one-sided test is read when `fraction` of the longest window is over and, unless it rejected, once more at
    that window's end. The first reading spends alpha x fraction^`POWER` (Lan & DeMets 1983, Biometrika 70:659; the
    power family of Kim & DeMets 1987, Biometrika 74:149). The first reading's evidence is part of the second's, so
    the statistics correlate by sqrt(fraction) or, where a lasting offset does not average out, by more; the second
    reading gets what is left under the joint normal law with the smaller correlation fraction^`CORRELATION`:
    P(Z1 > z1 or Z2 > z2) = alpha. As levels they serve t and exact tests as well (Jennison & Turnbull 2000, section
    3.8). With `fraction` 1 there is no second reading: the first has it all.

    Raises ValueError unless 0 < alpha < 0.5 and 0 < fraction <= 1.
    """
    if not (0 < alpha < 0.5 and 0 < fraction <= 1):
        raise ValueError(
            f"alpha is {alpha} and fraction {fraction}; alpha lies in (0, 0.5) and fraction in (0, 1]"
        )
    first = alpha * fraction**POWER
    if fraction > 1 - 1e-9:
        return alpha, alpha
    earlier = -float(ndtri(first))

    def too_rare(later: float) -> float:
        return neither_beyond(earlier, later, correlation=fraction**CORRELATION) - (1 - alpha)

    # Alone it could spend all of alpha; it never needs more than Bonferroni's rest.
    low, high = -float(ndtri(alpha)), -float(ndtri(alpha - first))
    return first, float(ndtr(-brentq(too_rare, low, high, xtol=1e-13, rtol=1e-13)))


def neither_beyond(first: float, second: float, *, correlation: float) -> float:
    """Return P(Z1 <= first and Z2 <= second) of two standard normals, for limits above 0 and a correlation in [0, 1).

    In closed form by Owen's T (Owen 1956, Annals of Mathematical Statistics 27:1075, eq. 2.1).
    """
    across = np.sqrt(1 - correlation**2)
    tails = owens_t(first, (second / first - correlation) / across)
    tails += owens_t(second, (first / second - correlation) / across)
    return float((ndtr(first) + ndtr(second)) / 2 - tails)
