"""The pair of rates on a line that fits two binomial samples best: the null of every rate comparison."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

CONVERGED = 1e-7  # of the distance to the nearer end; Newton's next step would be its square
FLOOR = 1e-15  # rates are kept this far from the ends of the line


def boundary_rates(
    *,
    shadow_errors: ArrayLike,
    shadow_requests: ArrayLike,
    production_errors: ArrayLike,
    production_requests: ArrayLike,
    ratio: float = 1.0,
    difference: float = 0.0,
) -> tuple[Floats, Floats]:
    """Return (p, ratio p + difference), the maximum-likelihood rates of production and shadow on that line.

    Inputs broadcast and may be fractional, so that the same answer is the Kullback-Leibler projection of
    assumed rates weighted by requests. For a difference it is the constrained estimate of Miettinen &
    Nurminen 1985 (the root of their cubic), for a ratio that of the ratio. The log likelihood is concave along
    the line; where error rates are small, fixing the weight of the successes leaves a quadratic equation that
    is all but exact, Newton's steps finish it, and what has not converged is bisected.

    Raises ValueError if the line does not enter the unit square.
    """
    xs, ns, xp, n_p = np.broadcast_arrays(
        *(
            np.asarray(v, dtype=np.float64)
            for v in (shadow_errors, shadow_requests, production_errors, production_requests)
        )
    )
    top = min(1.0, (1.0 - difference) / ratio)
    if top <= 0:
        raise ValueError(f"no rates lie on {ratio} p + {difference}; the line must enter the unit square")
    highest = top * (1 - 1e-13)
    if difference == 0:
        p = np.clip(_through_origin(xs, ns, xp, n_p, ratio), FLOOR, highest)
        return p, ratio * p
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        p = np.clip((xs + xp) / np.maximum(ratio * ns + n_p, 1e-300), FLOOR, highest)
        for _ in range(2):
            p = np.clip(_fixed_weight(xs, ns, xp, n_p, ratio, difference, p), FLOOR, highest)
        step = np.zeros_like(p)
        for _ in range(3):
            q = ratio * p + difference
            step = _slope(xs, ns, xp, n_p, ratio, p, q) / _curvature(xs, ns, xp, n_p, ratio, p, q)
            moved = np.clip(p + step, FLOOR, highest)
            step, p = moved - p, moved
        # NaN is rough too. Steps shrink near the ends of the line, where Newton may have been thrown.
        rough = ~(np.abs(step) < CONVERGED * np.minimum(p - FLOOR, highest - p))
        if rough.any():
            cut = (xs[rough], ns[rough], xp[rough], n_p[rough])
            p = np.where(np.isfinite(p), p, FLOOR)
            p[rough] = _bisect(*cut, ratio, difference, highest)
    return p, ratio * p + difference


def _through_origin(xs: Floats, ns: Floats, xp: Floats, n_p: Floats, ratio: float) -> Floats:
    """Return the root of r (ns + n_p) p^2 - (r (ns + xp) + n_p + xs) p + xs + xp = 0, in its stable form.

    Where nothing is added to the ratio the likelihood's slope is a quadratic (Koopman 1984, Biometrics 40:513).
    """
    errors = xs + xp
    half = (ratio * (ns + xp) + n_p + xs) / 2
    root = np.sqrt(np.maximum(half**2 - ratio * (ns + n_p) * errors, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(errors > 0, errors / (half + root), 0.0)


def _fixed_weight(
    xs: Floats, ns: Floats, xp: Floats, n_p: Floats, ratio: float, difference: float, p: Floats
) -> Floats:
    """Solve ratio xs/q + xp/p = w, with the successes' weight w taken at the last p."""
    w = ratio * (ns - xs) / (1 - ratio * p - difference) + (n_p - xp) / (1 - p)
    half = (w * difference - ratio * (xs + xp)) / 2
    root = np.sqrt(half**2 + w * ratio * xp * difference)
    # The two forms of the quadratic's positive root; each is exact where the other cancels.
    return np.where(half > 0, xp * difference / (half + root), (root - half) / (w * ratio))


def _slope(xs: Floats, ns: Floats, xp: Floats, n_p: Floats, ratio: float, p: Floats, q: Floats) -> Floats:
    return ratio * (xs / q - (ns - xs) / (1 - q)) + xp / p - (n_p - xp) / (1 - p)


def _curvature(xs: Floats, ns: Floats, xp: Floats, n_p: Floats, ratio: float, p: Floats, q: Floats) -> Floats:
    of_shadow = xs / q**2 + (ns - xs) / (1 - q) ** 2
    return ratio**2 * of_shadow + xp / p**2 + (n_p - xp) / (1 - p) ** 2


def _bisect(
    xs: Floats, ns: Floats, xp: Floats, n_p: Floats, ratio: float, difference: float, highest: float
) -> Floats:
    low, high = np.full(xs.shape, np.log(FLOOR)), np.full(xs.shape, np.log(highest))
    for _ in range(60):
        middle = (low + high) / 2
        p = np.exp(middle)
        rising = _slope(xs, ns, xp, n_p, ratio, p, ratio * p + difference) > 0
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    found: Floats = np.minimum(np.exp((low + high) / 2), highest)
    return found
