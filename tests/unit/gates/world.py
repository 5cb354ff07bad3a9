"""A simulated endpoint: requests, shared weather and each variant's own noise, seen through CloudWatch's eyes.

Latencies are lognormal: a request's own effect (shared by both variants) and each call's noise, some slow calls,
a day's rhythm, shared AR(1) weather and bursts, each variant's AR(1) jitter and lasting offset.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from include.rollout.evidence import Evidence, Period, Threshold

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


@dataclass(frozen=True, kw_only=True)
class World:
    """The parameters of one simulated endpoint; the defaults are a busy, ordinary one."""

    periods: int = 60
    period: int = 60
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
    burst_share: float = 0.04
    jitter_sd: float = 0.03
    jitter_memory: float = 0.6
    offset_sd: float = 0.015
    load_swing: float = 0.25
    error_rate: float = 0.001
    shadow_error_rate: float | None = None
    ratio: float = 1.0  # of the shadow's latency, everywhere
    tail: float = 1.0  # additional factor above the shadow's own p90
    margin: float = 0.10
    history: int = 5  # warm periods before the window, to fix thresholds from
    metrics: tuple[str, ...] = field(default=("p50", "p90", "p99"))


def window(world: World, rng: np.random.Generator) -> Evidence:
    """Return one window of evidence."""
    total = world.history + world.periods
    load = world.rate * world.period * rng.uniform(1 - world.load_swing, 1 + world.load_swing, total)
    shared = _ar1(rng, total, world.shared_sd, world.shared_memory) + world.diurnal * np.sin(
        2 * np.pi * (np.arange(total) / (86_400 / world.period) + rng.uniform())
    )
    burst = rng.random(total) < world.burst_share
    shared += np.where(burst, np.log(rng.uniform(1.3, 2.5, total)), 0.0)
    own = {
        v: _ar1(rng, total, world.jitter_sd, world.jitter_memory) + rng.normal(0, world.offset_sd)
        for v in ("production", "shadow")
    }
    shadow_rate = world.error_rate if world.shadow_error_rate is None else world.shadow_error_rate
    rows: dict[str, list[Period]] = {"production": [], "shadow": []}
    thresholds: tuple[Threshold, ...] = ()
    seen: list[list[float]] = []
    for i in range(total):
        if i == world.history:
            fixed = np.median(np.array(seen), axis=0)
            thresholds = tuple(
                Threshold(label=q, production_us=float(x), shadow_us=float(x * (1 + world.margin)))
                for q, x in zip(QUANTILES, fixed, strict=True)
                if q in world.metrics
            )
        n = int(rng.poisson(load[i]))
        request = rng.normal(0, world.request_sd, n)
        copied = rng.random(n) < world.sampling
        fails = rng.random(n)  # half of the errors are caused by the request, in both variants
        start = BEGIN + timedelta(seconds=(i - world.history) * world.period)
        for v in ("production", "shadow"):
            mine = request if v == "production" else request[copied]
            log = mine + rng.normal(0, world.call_sd, mine.size) + shared[i] + own[v][i]
            log += np.where(rng.random(mine.size) < world.slow_share, np.log(world.slow_factor), 0.0)
            error = world.error_rate * (4 if burst[i] else 1)
            if v == "shadow":
                log += np.log(world.ratio)
                if world.tail != 1 and mine.size:
                    log += np.where(log > np.quantile(log, 0.9), np.log(world.tail), 0.0)
                error = shadow_rate * (4 if burst[i] else 1)
            us = world.median_us * np.exp(log)
            if i < world.history:
                if v == "production":
                    seen.append(list(np.quantile(us, list(QUANTILES.values()))))
                continue
            both = (fails if v == "production" else fails[copied]) < min(world.error_rate, error) / 2
            alone = rng.random(mine.size) < error - min(world.error_rate, error) / 2
            errors = int((both | alone).sum())
            limit = {t.label: t.production_us if v == "production" else t.shadow_us for t in thresholds}
            found = np.quantile(us, list(QUANTILES.values())) if mine.size else []
            rows[v].append(
                Period(
                    start=start,
                    invocations=float(mine.size) if mine.size else None,
                    errors={"InvocationModelErrors": float(errors)} if errors else {},
                    latency={q: float(x) for q, x in zip(QUANTILES, found, strict=False)},
                    slower={q: float((us > x).sum()) for q, x in limit.items()},
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
    )


def _ar1(rng: np.random.Generator, length: int, sd: float, memory: float) -> np.ndarray:
    steps = rng.normal(0, sd, length)
    steps[1:] *= np.sqrt(1 - memory**2)
    for i in range(1, length):
        steps[i] += memory * steps[i - 1]
    return steps
