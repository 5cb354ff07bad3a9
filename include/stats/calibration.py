"""What equal variants teach about noise: jitter from period to period, its memory, and the lasting offset."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri


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
    flip_rate: float = 0.0  # share of pairs whose answers differ although the model is the same

    def __post_init__(self) -> None:
        if not 0 <= self.flip_rate <= 1:
            raise ValueError(f"flip rate {self.flip_rate}; it is a share of pairs, between 0 and 1")
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
        self, *, exceedances: ArrayLike, shadow_share: ArrayLike, log_hazard: ArrayLike
    ) -> NDArray[np.float64]:
        """Return the overdispersion of exceedance counts that this jitter causes, at least 1, for each period.

        `exceedances` is the number expected of both variants in a period, `shadow_share` the shadow's part of the requests,
        `log_hazard` how fast the log of their number falls with the log of the latency. Jitter of each variant
        moves the log odds with variance 2 h^2 tau^2 (times its memory); against the binomial variance that is
        1 + N theta (1 - theta) h^2 2 tau^2.
        """
        n, share = np.asarray(exceedances, dtype=np.float64), np.asarray(shadow_share, dtype=np.float64)
        hazard = np.asarray(log_hazard, dtype=np.float64)
        variance = 2 * hazard**2 * self.jitter_sd**2 * self.memory
        return np.asarray(1 + n * share * (1 - share) * variance, dtype=np.float64)


PRIOR = Noise(
    jitter_sd=0.03,
    autocorrelation=0.0,
    offset_sd=0.015,
    source="assumed: 3 % jitter a period, 1.5 % lasting offset; this endpoint was never calibrated",
)


# The prior beside its centres: a factor, as the sd of a logarithm, for jitter and for the offset; any memory is
# as likely as another; and so many pairs without a flip.
PRIOR_FACTOR = 0.5
PRIOR_PAIRS = 200
JITTERS = np.geomspace(0.002, 0.3, 26)
MEMORIES = np.array([0.0, 0.15, 0.3, 0.45, 0.6, 0.7, 0.8, 0.87, 0.93])
# How much of the noise of independent requests is left: variants that answer the same requests share some.
UNSHARED = np.array([0.15, 0.3, 0.5, 0.7, 1.0])
OFFSETS = np.geomspace(0.001, 0.3, 40)
FAR = 3.0  # robust sds from the median beyond which a period is taken to be as far as this, and no further
LEAST_PERIODS = 8  # of both variants; fewer teach nothing about jitter
BANDS = 48  # of frequencies that are kept; a longer spectrum is averaged down to so many


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What one A/A rollout taught, as numbers that pool: the ledger stores one for each such rollout.

    All are of one percentile's log(shadow / production) per period between equal variants. `powers` are means of
    `ordinates` successive values of its periodogram (whose expectation is the variance for white noise) around
    `frequencies` (radians per period); `sampling` is what requests alone would make it vary by, were none shared.
    """

    rollout_id: str
    periods: int
    frequencies: tuple[float, ...]
    powers: tuple[float, ...]
    ordinates: tuple[int, ...]
    sampling: float
    mean: float
    flips: int = 0  # pairs answered differently
    pairs: int = 0

    def __post_init__(self) -> None:
        if not len(self.frequencies) == len(self.powers) == len(self.ordinates) > 0:
            raise ValueError(
                f"the calibration of {self.rollout_id} has a spectrum whose parts differ in length"
            )
        if not (
            np.isfinite(self.powers).all()
            and min(self.powers) >= 0
            and np.isfinite([self.mean, self.sampling]).all()
        ):
            raise ValueError(
                f"the calibration of {self.rollout_id} holds a number that is not finite or is negative"
            )
        if not (self.periods >= LEAST_PERIODS and self.sampling > 0 and 0 <= self.flips <= self.pairs):
            raise ValueError(
                f"{self.periods} periods, sampling variance {self.sampling}, {self.flips} of {self.pairs} pairs flipped; "
                f"at least {LEAST_PERIODS}, above 0, and flips between 0 and the pairs are needed"
            )

    def to_document(self) -> dict[str, Any]:
        """Return a JSON-safe form that `from_document` reads back; equal calibrations have equal forms."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_document` wrote; keys that it did not write are ignored."""
        found: dict[str, Any] = {
            part.name: document[part.name] for part in fields(cls) if part.name in document
        }
        for name in ("frequencies", "powers", "ordinates"):
            found[name] = tuple(found[name])
        return cls(**found)


def calibrate(
    log_ratios: ArrayLike,
    sampling_variances: ArrayLike,
    *,
    rollout_id: str,
    flips: int = 0,
    pairs: int = 0,
) -> Calibration | None:
    """Return what one A/A rollout taught, or None where too few of its periods were measured.

    `log_ratios` holds log(shadow / production) of one latency percentile in the order of time, shape (periods,),
    NaN where nothing was measured; `sampling_variances` what each would vary by if equal variants differed in
    their requests alone. One bad period does not spoil it: what lies further than `FAR` robust sds from the
    median counts as that far. A missing period counts as an ordinary one.
    """
    x, v = (np.asarray(a, dtype=np.float64) for a in (log_ratios, sampling_variances))
    if x.shape != v.shape or x.ndim != 1 or np.isinf(x).any():
        raise ValueError(
            "log ratios and sampling variances must be one finite number, or NaN, each per period"
        )
    seen = np.isfinite(x) & np.isfinite(v)
    periods = int(seen.sum())
    if periods < LEAST_PERIODS:
        return None
    centre = float(np.median(x[seen]))
    robust = 1.4826 * float(np.median(np.abs(x[seen] - centre)))
    kept = np.clip(x, centre - FAR * robust, centre + FAR * robust)
    mean = float(kept[seen].mean())
    powers = np.abs(np.fft.rfft(np.where(seen, kept - mean, 0.0))) ** 2 / periods
    frequencies = 2 * np.pi * np.arange(powers.size) / x.size
    last = powers.size - (x.size % 2 == 0)  # the highest of an even number has half the degrees of freedom
    bands = np.array_split(np.arange(1, last), min(BANDS, last - 1))
    return Calibration(
        rollout_id=rollout_id,
        periods=periods,
        frequencies=tuple(float(frequencies[band].mean()) for band in bands),
        powers=tuple(float(powers[band].mean()) for band in bands),
        ordinates=tuple(int(band.size) for band in bands),
        sampling=float(v[seen].mean()),
        mean=mean,
        flips=flips,
        pairs=pairs,
    )


def pooled(calibrations: Sequence[Calibration], *, prior: Noise = PRIOR) -> Noise:
    """Return the noise that A/A rollouts taught, drawn towards the prior while they are few.

    Jitter and its memory are posterior means under the likelihood of the spectra (Whittle 1953): AR(1) jitter
    of both variants and white noise of requests, of which an unknown part is shared. The prior is log-normal
    around the prior's jitter and offset, `PRIOR_FACTOR` wide. An offset is measured from 0, for equal variants
    differ either way, and a window's mean varies by chance too. Without calibrations the prior is returned.
    """
    if not calibrations:
        return prior
    weight = _believed(calibrations, prior)
    variance = float(weight @ _TAU**2)
    memory = float(weight @ (_TAU**2 * (1 + _RHO) / (1 - _RHO))) / variance
    left = float(weight @ _UNSHARED)
    chance = np.array([(2 * variance * memory + left * c.sampling) / c.periods for c in calibrations])
    means = np.array([c.mean for c in calibrations])
    spread = OFFSETS[:, None] ** 2 + chance
    log_o = -0.5 * (np.log(OFFSETS / prior.offset_sd) / PRIOR_FACTOR) ** 2
    log_o -= 0.5 * (np.log(spread) + means**2 / spread).sum(axis=1)
    weight = np.exp(log_o - log_o.max())
    flips, pairs = sum(c.flips for c in calibrations), sum(c.pairs for c in calibrations)
    return Noise(
        jitter_sd=float(np.sqrt(variance)),
        autocorrelation=(memory - 1) / (memory + 1),
        offset_sd=float(np.sqrt(weight @ OFFSETS**2 / weight.sum())),
        flip_rate=(PRIOR_PAIRS * prior.flip_rate + flips) / (PRIOR_PAIRS + pairs),
        source=(
            f"measured in {len(calibrations)} A/A rollout{'s' if len(calibrations) > 1 else ''} over "
            f"{sum(c.periods for c in calibrations):,} periods, drawn towards {100 * prior.jitter_sd:.3g} % jitter "
            f"and {100 * prior.offset_sd:.3g} % lasting offset while these are few"
        ),
    )


def lasting_jitter(calibration: Calibration, *, prior: Noise = PRIOR) -> float:
    """Return what both variants' jitter adds to the variance of a mean over many periods, times their number.

    2 tau^2 (1 + rho) / (1 - rho), the geometric mean under the posterior of `pooled`. A lasting difference does not
    enter a spectrum without its mean, so that a window of unequal variants teaches its own jitter as well.
    """
    return float(np.exp(_believed([calibration], prior) @ np.log(2 * _TAU**2 * (1 + _RHO) / (1 - _RHO))))


_TAU, _RHO, _UNSHARED = map(np.ravel, np.meshgrid(JITTERS, MEMORIES, UNSHARED))


def _believed(calibrations: Sequence[Calibration], prior: Noise) -> NDArray[np.float64]:
    """Return the posterior weight of each combination of jitter, memory and unshared noise, together 1."""
    log_p = -0.5 * (np.log(_TAU / prior.jitter_sd) / PRIOR_FACTOR) ** 2
    for c in calibrations:
        angle, powers, ordinates = (np.array(a)[:, None] for a in (c.frequencies, c.powers, c.ordinates))
        jitter = 2 * _TAU**2 * (1 - _RHO**2) / (1 - 2 * _RHO * np.cos(angle) + _RHO**2)
        density = jitter + _UNSHARED * c.sampling
        log_p = log_p - (ordinates * (np.log(density) + powers / density)).sum(axis=0)
    weight = np.exp(log_p - log_p.max())
    return np.asarray(weight / weight.sum(), dtype=np.float64)


def log_hazard(*, share: float, spread: float) -> float:
    """Return h = phi(z) / ((1 - share) spread) of a lognormal latency at the quantile `share`.

    With `spread` the sd of log latency: one per cent more latency means h per cent more requests beyond it.
    """
    if not (0 < share < 1 and spread > 0):
        raise ValueError(f"share is {share} and spread {spread}; a share lies in (0, 1), a spread is above 0")
    z = ndtri(share)
    return float(np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) / ((1 - share) * spread))


def spread_between(quantiles: dict[float, float], share: float) -> float | None:
    """Return the sd of log latency around `share` from two of the given quantiles, None with fewer than two.

    `quantiles` maps shares to latencies in any unit; the two nearest to `share` on the normal scale are used.
    """
    known = {float(ndtri(s)): np.log(v) for s, v in quantiles.items() if 0 < s < 1 and v > 0}
    if len(known) < 2:
        return None
    at = float(ndtri(share))
    first, second = sorted(sorted(known, key=lambda z: abs(z - at))[:2])
    spread = float((known[second] - known[first]) / (second - first))
    return spread if spread > 0 else None
