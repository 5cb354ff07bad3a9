"""Evidence from one number a period, free of any distribution but symmetric noise."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from include.stats.eprocess import mixed

# Log-spaced, for excesses between a few per cent and threefold; any fixed choice is valid.
RATES = (0.7, 1.4, 2.8, 5.6, 11.2, 22.4)


def symmetric_log_e(excesses: ArrayLike, *, phi: ArrayLike = 1.0) -> NDArray[np.float64]:
    """Return, after each period, the log e-process against "the excess is at most 0 in the middle".

    `excesses` holds log(shadow/production) - log(1 + margin) per period, shape (periods,); a missing one is NaN
    and multiplies by one. E = mean over `RATES` of exp(l S - l^2 V/2) with S the sum and V the sum of squares:
    a supermartingale for noise symmetric around its centre, whatever its scale (de la Peña 1999, Annals of
    Probability 27:537-564). It can never grow by more than half a nat a period. `phi` >= 1, one number or one per period, tempers
    for noise that remembers the period before. Raises ValueError on infinities.
    """
    x = np.asarray(excesses, dtype=np.float64)
    if x.ndim != 1 or np.isinf(x).any():
        raise ValueError("excesses must be one finite number per period, or NaN where there is none")
    phis = np.broadcast_to(np.asarray(phi, dtype=np.float64), x.shape)
    if not (np.isfinite(phis).all() and (phis >= 1).all()):
        raise ValueError(f"phi is {phi!r}; a design effect is finite and at least 1")
    x = np.nan_to_num(x)
    total, squares = np.cumsum(x / phis)[:, None], np.cumsum(x**2 / phis)[:, None]
    rates = np.array(RATES)
    return mixed(rates * total - rates**2 * squares / 2)
