"""A simulated endpoint: requests, shared weather and each instance's own noise, seen through CloudWatch's eyes.

Log latency is a request's own effect (shared by both variants), each call's noise and some slow calls, a day's
rhythm, shared AR(1) weather and bursts in which errors multiply, and each instance's AR(1) jitter and lasting
offset; a shadow starts cold. Half of the errors are caused by the request and fail in both variants.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from include.rollout.evidence import Evidence, Period, Threshold
from include.rollout.moments import Moments
from include.rollout.pace import BINS, EDGES, STEP, Pace, Signs
from include.rollout.pairs import Pairs, Records, Tally

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
METRIC = "InvocationModelErrors"


@dataclass(frozen=True, kw_only=True)
class World:
    """The parameters of one simulated endpoint; the defaults are a busy, ordinary one, observed for an hour."""

    periods: int = 60
    period: int = 60  # seconds
    warm_up: int = 5  # periods that are cut; production's quantiles in them fix the thresholds
    rate: float = 20.0  # requests per second of production
    sampling: float = 1.0
    median_us: float = 50_000.0
    request_sd: float = 0.40
    call_sd: float = 0.25
    slow_share: float = 0.015
    slow_factor: float = 4.0
    shared_sd: float = 0.08
    shared_memory: float = 0.7
    diurnal: float = 0.15
    day: float = 86_400.0  # seconds of the rhythm
    burst_share: float = 0.04
    jitter_sd: float = 0.03
    jitter_memory: float = 0.6
    offset_sd: float = 0.015
    ratio_offset: float = 0.0  # instead of normal offsets: a ratio uniform within this, either way
    instances: int = 1  # of production; each has its own jitter and offset
    cold: float = 2.0  # a cold shadow is 1 + this slower ...
    cold_minutes: float = 1.5  # ... which fades by a factor e in so many minutes
    load_swing: float = 0.25
    error_rate: float = 0.001
    shadow_error_rate: float | None = None
    ratio: float = 1.0  # of the shadow's latency, everywhere
    tail: float = 1.0  # how far the shadow's latencies above its own p90 are stretched
    missing: float = 0.0  # share of periods that the store lost, of each variant on its own
    margin: float = 0.10
    captured: bool = False  # all answers are captured
    flips: float = (
        0.0  # share of the captured pairs in which the shadow decides otherwise than production ...
    )
    own_flips: float = 0.0  # ... beside those in which two copies of production differ
    timed: bool = False  # each container reports its own time, and all answers are captured


def window(world: World, rng: np.random.Generator) -> Evidence:
    """Return one window of evidence; every call draws new instances and new weather."""
    total = world.warm_up + world.periods
    load = world.rate * world.period * rng.uniform(1 - world.load_swing, 1 + world.load_swing, total)
    requests = rng.poisson(load)
    when = np.repeat(np.arange(total), requests)
    shared = _ar1(rng, total, world.shared_sd, world.shared_memory)
    seconds = np.arange(total) * world.period
    shared += np.log1p(world.diurnal * np.sin(2 * np.pi * (seconds / world.day + rng.uniform())))
    burst = rng.random(total) < world.burst_share
    shared += np.where(burst, np.log(rng.uniform(1.3, 2.5, total)), 0.0)
    common = rng.normal(0, world.request_sd, when.size) + shared[when]
    copied = rng.random(when.size) < world.sampling
    caused = rng.random(when.size)
    failing = world.error_rate if world.shadow_error_rate is None else world.shadow_error_rate
    rates = {"production": world.error_rate, "shadow": failing}
    both = min(rates.values()) / 2 * np.where(burst, 4, 1)
    cold = np.log1p(world.cold * np.exp(-seconds / 60 / world.cold_minutes))
    lasting = rng.uniform(np.log(1 - world.ratio_offset), np.log(1 + world.ratio_offset))

    latency, errors, periods = {}, {}, {}
    for variant, taken in (("production", np.ones(when.size, bool)), ("shadow", copied)):
        mine = when[taken]
        instances = world.instances if variant == "production" else 1
        own = np.array(
            [
                _ar1(rng, total, world.jitter_sd, world.jitter_memory)
                + (0.0 if world.ratio_offset else rng.normal(0, world.offset_sd))
                for _ in range(instances)
            ]
        )
        log = common[taken] + rng.normal(0, world.call_sd, mine.size)
        log += own[rng.integers(0, instances, mine.size), mine]
        log += np.where(rng.random(mine.size) < world.slow_share, np.log(world.slow_factor), 0.0)
        rate = rates[variant] * np.where(burst, 4, 1)
        errors[variant] = (caused[taken] < both[mine]) | (rng.random(mine.size) < (rate - both)[mine])
        if variant == "shadow":
            log += np.log(world.ratio) + lasting + cold[mine]
        starts = np.searchsorted(mine, np.arange(total + 1))
        if variant == "shadow" and world.tail != 1:
            for a, b in itertools.pairwise(starts):
                if b > a:
                    log[a:b] += np.where(log[a:b] > np.quantile(log[a:b], 0.9), np.log(world.tail), 0.0)
        latency[variant], periods[variant] = world.median_us * np.exp(log), starts
    quantiles = {
        v: [_quantiles(latency[v][a:b]) for a, b in itertools.pairwise(at)] for v, at in periods.items()
    }
    before = np.median([found for found in quantiles["production"][: world.warm_up] if found], axis=0)
    thresholds = tuple(
        Threshold(label=q, production_us=float(x), shadow_us=float(x * (1 + world.margin)))
        for q, x in zip(QUANTILES, before, strict=True)
    )
    rows: dict[str, list[Period]] = {"production": [], "shadow": []}
    for variant, kept in rows.items():
        limits = {t.label: t.production_us if variant == "production" else t.shadow_us for t in thresholds}
        lost = rng.random(total) < world.missing
        for i in range(world.warm_up, total):
            a, b = periods[variant][i : i + 2]
            if lost[i] or a == b:
                continue
            failed = float(errors[variant][a:b].sum())
            kept.append(
                Period(
                    start=BEGIN + timedelta(seconds=(i - world.warm_up) * world.period),
                    invocations=float(b - a),
                    errors={METRIC: failed} if failed else {},
                    latency=dict(zip(QUANTILES, quantiles[variant][i], strict=True)),
                    slower={q: float((latency[variant][a:b] > limit).sum()) for q, limit in limits.items()},
                )
            )
    return Evidence(
        begin=BEGIN,
        end=BEGIN + timedelta(seconds=world.periods * world.period),
        period=world.period,
        sampling=world.sampling,
        production=tuple(rows["production"]),
        shadow=tuple(rows["shadow"]),
        thresholds=thresholds,
        pairs=_pairs(world, rng, when, copied, latency) if world.timed or world.captured else None,
    )


def windows(world: World, *, seed: int, runs: int) -> Iterator[Evidence]:
    """Yield windows that depend on the seed and their number alone, so that one of them can be looked into."""
    for run in range(runs):
        yield window(world, np.random.default_rng((seed, run)))


def _pairs(
    world: World,
    rng: np.random.Generator,
    when: np.ndarray,
    copied: np.ndarray,
    latency: dict[str, np.ndarray],
) -> Pairs:
    """Return the captures of the window, laid side by side: whether answers agree, and both containers' times."""
    inside = when[copied] >= world.warm_up
    starts = int(BEGIN.timestamp()) + (when[copied][inside] - world.warm_up) * world.period
    n, alone = starts.size, int((when[~copied] >= world.warm_up).sum())
    found, counts = np.unique(starts, return_counts=True)
    rate = world.flips + world.own_flips
    flips = rng.binomial(counts, rate) if rate else np.zeros_like(counts)
    timed: dict[str, Any] = {}
    if world.timed:
        p, s = np.log(latency["production"][copied])[inside], np.log(latency["shadow"])[inside]
        timed = {"latency": Moments(n=n), "paces": {world.margin: _pace(world, starts, p, s)}}
    return Pairs(
        period=world.period,
        production=Records(read=n + alone, matched=n, unmatched=alone),
        shadow=Records(read=n, matched=n),
        all=_tally(n, int(flips.sum())),
        inputs_squared=n,
        periods=dict(zip(found.tolist(), zip(counts.tolist(), flips.tolist(), strict=True), strict=True)),
        answers=(1, 2),
        **timed,
    )


def _pace(world: World, starts: np.ndarray, p: np.ndarray, s: np.ndarray) -> Pace:
    """Return the log times of production and shadow, pair by pair, held against the margin."""
    excess = s - p - np.log1p(world.margin)
    beyond = np.searchsorted(EDGES, np.abs(excess))
    place = np.where(excess > 0, BINS // 2 + beyond, BINS // 2 - 1 - beyond)
    levels = np.floor((p + s) / 2 / STEP).astype(np.int64)
    groups, where = np.unique(np.stack([starts, levels]), axis=1, return_inverse=True)
    counts = np.bincount(where.ravel() * BINS + place, minlength=BINS * groups.shape[1]).reshape(-1, BINS)
    periods: dict[int, dict[int, Signs]] = {}
    for start, level, found in zip(*groups.tolist(), counts.tolist(), strict=True):
        periods.setdefault(start, {})[level] = Signs(counts=tuple(found))
    return Pace(periods=periods)


def _tally(pairs: int, flips: int) -> Tally:
    return Tally(n=pairs, same=pairs - flips, close=pairs - flips, flips=flips)


def until(evidence: Evidence, periods: int) -> Evidence:
    """Return what was known after so many periods."""
    end = evidence.begin + timedelta(seconds=periods * evidence.period)
    kept = {
        variant: tuple(row for row in getattr(evidence, variant) if row.start < end)
        for variant in ("production", "shadow")
    }
    return replace(evidence, end=end, pairs=_pairs_until(evidence.pairs, end), **kept)


def _pairs_until(pairs: Pairs | None, end: datetime) -> Pairs | None:
    """Return the pairs whose periods began before `end`, all of which the captures hold by then."""
    if pairs is None:
        return None
    last = end.timestamp()
    periods = {start: counts for start, counts in pairs.periods.items() if start < last}
    n, flips = (sum(counts[i] for counts in periods.values()) for i in (0, 1))
    alone = round(pairs.production.unmatched * n / max(1, pairs.all.n))
    return replace(
        pairs,
        production=Records(read=n + alone, matched=n, unmatched=alone),
        shadow=Records(read=n, matched=n),
        all=_tally(n, flips),
        inputs_squared=n,
        periods=periods,
        latency=Moments(n=n if pairs.paces else 0),
        paces={
            margin: Pace(periods={start: found for start, found in pace.periods.items() if start < last})
            for margin, pace in pairs.paces.items()
        },
    )


def _quantiles(latencies: np.ndarray) -> list[float]:
    if not latencies.size:
        return []
    return [float(x) for x in np.quantile(latencies, list(QUANTILES.values()))]


def _ar1(rng: np.random.Generator, length: int, sd: float, memory: float) -> np.ndarray:
    steps = rng.normal(0, sd, length)
    steps[1:] *= np.sqrt(1 - memory**2)
    for i in range(1, length):
        steps[i] += memory * steps[i - 1]
    return steps
