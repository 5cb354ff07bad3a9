"""What a window can decide, before it is opened: chances of passing and aborting, and the window it takes."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from include.stats.eprocess import excess_log_e, log_threshold
from include.stats.noninferiority import freedom
from include.stats.proportions import score_statistics

LONGEST = 1_000_000  # periods beyond which a window is called hopeless
SEED = 20_240_601  # plans are reproducible: the same question has the same answer


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorDesign:
    """How an error rate will be judged: the traffic, the limit and the errors allowed.

    The shadow may exceed production's rate by max(relative x rate, absolute). `processes` is the number of
    e-processes that share `abort_alpha` by averaging.
    """

    requests: float  # of production, per period
    sampling: float
    periods: int
    production_rate: float
    relative: float
    absolute: float
    alpha: float
    abort_alpha: float
    processes: int = 1
    phi: float = 1.0

    def __post_init__(self) -> None:
        if not (self.requests > 0 and 0 < self.sampling <= 1 and self.periods >= 1):
            raise ValueError(
                f"{self.requests} requests a period, sampling {self.sampling}, {self.periods} periods; "
                "all must be above 0 and sampling at most 1"
            )
        if not (0 <= self.production_rate < 1 and self.relative >= 0 and 0 < self.absolute < 1):
            raise ValueError("rates are fractions of requests: production's in [0, 1), the limit in (0, 1)")

    @property
    def limit(self) -> float:
        """The highest error rate of the shadow that is allowed at production's rate."""
        return self.production_rate + max(self.relative * self.production_rate, self.absolute)


def pass_chance(design: ErrorDesign, *, shadow_rate: float, runs: int = 2000) -> float:
    """Return the chance that the final reading passes a shadow that fails at `shadow_rate`.

    Simulated with a fixed seed: Poisson arrivals, binomial copies, independent errors, `runs` windows;
    its own standard error is at most 0.5/sqrt(runs).
    """
    n_p, ns, xp, xs = (v.sum(axis=-1) for v in _windows(design, shadow_rate, runs, pooled=True))
    seen = (ns > 0) & (n_p > 0)
    z = np.sqrt(design.phi) * norm.ppf(design.alpha)
    below = score_statistics(xs[seen], ns[seen], xp[seen], n_p[seen], difference=design.absolute) < z
    below |= score_statistics(xs[seen], ns[seen], xp[seen], n_p[seen], ratio=1 + design.relative) < z
    return float(below.sum() / runs)


def abort_chance(design: ErrorDesign, *, shadow_rate: float, runs: int = 500) -> float:
    """Return the chance that the abort's e-process crosses within the window at `shadow_rate` (simulated).

    The other processes of the average are taken to show nothing at all, the worst case.
    """
    n_p, ns, xp, xs = _windows(design, shadow_rate, runs, pooled=False)
    bar = log_threshold(design.abort_alpha) + np.log(design.processes)
    paths = np.minimum(
        *(
            excess_log_e(
                shadow_errors=xs,
                shadow_requests=ns,
                production_errors=xp,
                production_requests=n_p,
                phi=design.phi,
                ratio=ratio,
                difference=difference,
            )
            for ratio, difference in ((1.0, design.absolute), (1 + design.relative, 0.0))
        )
    )
    return float((paths >= bar).any(axis=-1).mean())


def detectable_rate(design: ErrorDesign, *, power: float = 0.8) -> float | None:
    """Return the smallest error rate of the shadow that the abort finds within the window with chance `power`.

    None where not even a shadow that fails every second request is found. Accurate to about 5 %.
    """
    low, high = design.limit, max(0.5, (1 + design.limit) / 2)
    if abort_chance(design, shadow_rate=high, runs=200) < power:
        return None
    while high / low > 1.05:
        middle = float(np.sqrt(low * high))
        if abort_chance(design, shadow_rate=middle, runs=200) >= power:
            high = middle
        else:
            low = middle
    return high


def periods_to_pass(design: ErrorDesign, *, power: float = 0.8) -> int | None:
    """Return the periods after which a shadow as good as production passes with chance `power`; None if never."""
    rate = design.production_rate
    return _smallest(lambda n: pass_chance(replace(design, periods=n), shadow_rate=rate) >= power)


def latency_periods(
    *, sd: float, margin: float, alpha: float, power: float = 0.8, offset_sd: float = 0.0, block: int = 1
) -> int | None:
    """Return the periods after which two equal variants pass latency non-inferiority with chance `power`.

    m blocks suffice when (t_{1-alpha} + z_power) se <= log(1 + margin), with se^2 = sd^2/m + offset_sd^2
    and sd that of the per-block log ratio between equal variants; None where the offset alone is too large.
    """

    def enough(periods: int) -> bool:
        largest = largest_passing_ratio(
            sd=sd, margin=margin, alpha=alpha, power=power, offset_sd=offset_sd, block=block, periods=periods
        )
        return largest is not None and largest >= 1

    return _smallest(enough)


def largest_passing_ratio(
    *,
    sd: float,
    margin: float,
    alpha: float,
    periods: int,
    power: float = 0.8,
    offset_sd: float = 0.0,
    block: int = 1,
) -> float | None:
    """Return the largest true ratio that still passes with chance `power`; None with fewer than two blocks.

    A value below 1 says that the window is too short or too noisy for an equal shadow to pass.
    """
    if sd < 0 or offset_sd < 0 or margin <= 0:
        raise ValueError(f"sd {sd} and offset_sd {offset_sd} must be at least 0, margin {margin} above 0")
    blocks = periods // block
    if blocks < 2:
        return None
    critical = student.ppf(1 - alpha, freedom(sd**2 / blocks, offset_sd, blocks))
    reach = float(critical + norm.ppf(power))
    return float((1 + margin) * np.exp(-reach * np.sqrt(sd**2 / blocks + offset_sd**2)))


def _windows(
    design: ErrorDesign, shadow_rate: float, runs: int, *, pooled: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(SEED)
    shape = (runs, 1 if pooled else design.periods)
    mean = design.requests * (design.periods if pooled else 1)
    n_p = rng.poisson(mean, shape)
    ns = rng.binomial(n_p, design.sampling)
    return n_p, ns, rng.binomial(n_p, design.production_rate), rng.binomial(ns, shadow_rate)


def _smallest(enough: Callable[[int], bool]) -> int | None:
    """Return the smallest number from which `enough` holds, assuming that it stays so; None above LONGEST."""
    high = 1
    while not enough(high):
        high *= 2
        if high > LONGEST:
            return None
    low = high // 2
    while high - low > max(1, high // 100):
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
