"""How many pairs it takes until agreement can be shown."""

from __future__ import annotations

import math

from include.stats.proportions import Counts, difference_upper

_MOST = 2**40  # pairs beyond which no window will do


def least_pairs(*, limit: float, alpha: float, noise: Counts | None = None) -> int | None:
    """Return the least number of pairs of different inputs whose upper limit can lie below `limit`; None if none can.

    Without noise that is of pairs none of which disagrees: 1 - alpha^(1/n) < limit (Clopper & Pearson 1934), so
    n > log(alpha) / log(1 - limit). With the flips of production against itself it is of pairs that disagree as often
    as those, by the score limit of the difference; too few of those leave it open for ever.
    Raises ValueError unless limit and alpha lie in (0, 1).
    """
    if not (0 < limit < 1 and 0 < alpha < 1):
        raise ValueError(f"limit is {limit} and alpha {alpha}; both must lie in (0, 1)")
    if noise is None:
        return math.floor(math.log(alpha) / math.log1p(-limit)) + 1

    def shown(n: int) -> bool:
        return difference_upper(Counts(errors=noise.rate * n, requests=n), noise, alpha=alpha) < limit

    high = 1
    while not shown(high):
        high *= 2
        if high > _MOST:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if shown(middle) else (middle, high)
    return high
