"""Requests slower than a threshold fixed beforehand: latency evidence with the power of single requests."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri, xlogy

from include.stats.eprocess import mixed

# Odds against the null that the mixture looks for; log-spaced from a tail a fifth heavier to one twentyfold.
ODDS = (1.2, 1.5, 2.0, 3.0, 5.0, 9.0, 20.0)
# The same where the latencies' spread is known: how much slower than the margin allows, and how much of the
# evidence looks for it. Any is valid; most looks for the excess of a shadow a quarter slower at a margin of a tenth,
# for larger ones are found at once whatever their weight, and smaller ones are near what jitter does.
EFFECTS = (1.08, 1.15, 1.3, 2.0)
SOUGHT = (0.15, 0.6, 0.2, 0.05)


def slower_odds(*, share: float, spread: float) -> tuple[float, ...]:
    """Return by which factor more requests lie beyond the quantile `share` when latency grows by `EFFECTS`.

    For a lognormal latency with `spread` its sd of log latency around the quantile.
    """
    if not (0 < share < 1 and spread > 0):
        raise ValueError(f"share is {share} and spread {spread}; a share lies in (0, 1), a spread is above 0")
    z = ndtri(share)
    return tuple(float(ndtr(np.log(effect) / spread - z) / (1 - share)) for effect in EFFECTS)


def exceedance_log_e(
    *,
    shadow_over: ArrayLike,
    production_over: ArrayLike,
    shadow_requests: ArrayLike,
    production_requests: ArrayLike,
    rate_ratio: float = 1.0,
    phi: ArrayLike = 1.0,
    odds: Sequence[float] = ODDS,
    weights: Sequence[float] | None = None,
) -> NDArray[np.float64]:
    """Return, after each period, the log e-process against "the shadow is at most the margin slower".

    Per period, shape (periods,): `shadow_over` requests of the shadow above (1 + margin) q0, `production_over`
    requests of production above q0, and all requests of each; q0 was fixed before the window. If shadow
    latencies are stochastically at most (1 + margin) times production's, an exceedance is the shadow's with
    probability at most theta0 = r s / (1 + r s) with the period's own s, whatever load and time of day do to
    both (Lindon & Malek 2022, arXiv 2011.03567). Mixed over `odds` that were fixed before the window, with
    `weights` (equal ones by default); `phi` >= 1, one number or one per
    period, tempers for jitter that one variant has alone (1 + N h^2 tau^2 / 2 with N exceedances of both expected
    in the period, h their log hazard, tau the long-run sd of that jitter); it must not depend on whose they were
    or on a later period. A period in which either variant served nothing says nothing.
    """
    a, b, ns, n_p = (
        np.asarray(v, dtype=np.float64)
        for v in (shadow_over, production_over, shadow_requests, production_requests)
    )
    if not (a.shape == b.shape == ns.shape == n_p.shape) or a.ndim != 1:
        raise ValueError("exceedances and requests must be one count each per period")
    if not all(np.isfinite(v).all() and (v >= 0).all() for v in (a, b, ns, n_p)):
        raise ValueError("a count is negative or not finite; drop that period")
    if (a > ns).any() or (b > n_p).any():
        raise ValueError("a period has more exceedances than requests")
    phis = np.broadcast_to(np.asarray(phi, dtype=np.float64), a.shape)
    if not (np.isfinite(phis).all() and (phis >= 1).all()):
        raise ValueError(f"phi is {phi!r}; a design effect is finite and at least 1")
    used = (ns > 0) & (n_p > 0)
    s = np.where(used, ns, 1.0) / np.where(used, n_p, 1.0) * rate_ratio
    theta0 = (s / (1 + s))[:, None]
    shares = np.full(len(odds), 1 / len(odds)) if weights is None else np.asarray(weights, dtype=np.float64)
    if shares.shape != (len(odds),) or not np.isclose(shares.sum(), 1) or (shares <= 0).any():
        raise ValueError("there must be one weight above 0 for each of the odds, together 1")
    against = s[:, None] * np.array(odds)
    theta1 = against / (1 + against)
    gain = xlogy(a[:, None], theta1 / theta0) + xlogy(b[:, None], (1 - theta1) / (1 - theta0))
    paths = np.cumsum(np.where(used[:, None], gain / phis[:, None], 0.0), axis=0)
    return mixed(paths, shares)
