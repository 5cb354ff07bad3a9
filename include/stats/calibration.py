"""What equal variants teach about noise: jitter from period to period, its memory, and the lasting offset."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How much two equal variants on different instances differ, on the log scale of latency.

    `jitter_sd` is one variant's own sd from period to period (what both share cancels), `autocorrelation` its
    correlation between successive periods, `offset_sd` the sd of the log ratio's lasting offset.
    """

    jitter_sd: float
    autocorrelation: float
    offset_sd: float
    source: str  # where the numbers come from, as a report would say it

    def __post_init__(self) -> None:
        if not (self.jitter_sd >= 0 and self.offset_sd >= 0 and -1 < self.autocorrelation < 1):
            raise ValueError(
                f"jitter {self.jitter_sd}, autocorrelation {self.autocorrelation}, offset {self.offset_sd}; "
                "standard deviations are at least 0 and a correlation lies between -1 and 1"
            )

    @property
    def memory(self) -> float:
        """The factor by which autocorrelation multiplies the variance of a long mean, at least 1."""
        return max(1.0, (1 + self.autocorrelation) / (1 - self.autocorrelation))

    def design_effect(
        self, *, exceedances: ArrayLike, shadow_share: ArrayLike, log_hazard: float
    ) -> NDArray[np.float64]:
        """Return the overdispersion of exceedance counts that this jitter causes, at least 1, for each period.

        `exceedances` is the number expected of both variants in a period, `shadow_share` the shadow's part of the requests,
        `log_hazard` how fast the log of their number falls with the log of the latency. Jitter of each variant
        moves the log odds with variance 2 h^2 tau^2 (times its memory); against the binomial variance that is
        1 + N theta (1 - theta) h^2 2 tau^2.
        """
        n, share = np.asarray(exceedances, dtype=np.float64), np.asarray(shadow_share, dtype=np.float64)
        variance = 2 * log_hazard**2 * self.jitter_sd**2 * self.memory
        return np.asarray(1 + n * share * (1 - share) * variance, dtype=np.float64)


PRIOR = Noise(
    jitter_sd=0.03,
    autocorrelation=0.0,
    offset_sd=0.015,
    source="assumed: 3 % jitter a period, 1.5 % lasting offset; this endpoint was never calibrated",
)


def log_hazard(*, share: float, spread: float) -> float:
    """Return h = phi(z) / ((1 - share) spread) of a lognormal latency at the quantile `share`.

    With `spread` the sd of log latency: one per cent more latency means h per cent more requests beyond it.
    """
    from scipy.stats import norm

    if not (0 < share < 1 and spread > 0):
        raise ValueError(f"share is {share} and spread {spread}; a share lies in (0, 1), a spread is above 0")
    z = norm.ppf(share)
    return float(norm.pdf(z) / ((1 - share) * spread))


def spread_between(quantiles: dict[float, float], share: float) -> float | None:
    """Return the sd of log latency around `share` from two of the given quantiles, None with fewer than two.

    `quantiles` maps shares to latencies in any unit; the two nearest to `share` on the normal scale are used.
    """
    from scipy.stats import norm

    known = {float(norm.ppf(s)): np.log(v) for s, v in quantiles.items() if 0 < s < 1 and v > 0}
    if len(known) < 2:
        return None
    at = float(norm.ppf(share))
    first, second = sorted(sorted(known, key=lambda z: abs(z - at))[:2])
    spread = float((known[second] - known[first]) / (second - first))
    return spread if spread > 0 else None
