"""What one tick costs: a look at a day of minutes through ten gates, and a whole verdict on it.

    python benchmarks/tick.py [--periods 1440] [--repeats 15] [--write]

The look is what the trigger does at every tick: evidence to columns, ten e-processes period by period and their
average; error gates, latency gates and the columns are timed alone as well. The verdict adds Great Expectations,
imported beforehand. Latency gates, look and verdict are timed once more where containers report their own times, with
the signs of every pair in the evidence. CPU seconds of this process, the median and the least of the repeats;
`--write` keeps the numbers as dated JSON in benchmarks/results/.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from include.gates.look import look  # noqa: E402
from include.gates.rules import curve  # noqa: E402
from include.gates.table import Table  # noqa: E402
from include.rollout.evidence import Evidence, Period, Threshold  # noqa: E402
from include.rollout.gate import CompletenessGate, ErrorRateGate, ErrorThresholdGate, GatePolicy, LatencyGate  # noqa: E402
from include.rollout.moments import Moments  # noqa: E402
from include.rollout.pace import BINS, STEP, Pace, Signs  # noqa: E402
from include.rollout.pairs import Pairs, Records, Tally  # noqa: E402

BEGIN = datetime.datetime(2026, 3, 1, tzinfo=UTC)
ERRORS = ("InvocationModelErrors", "Invocation4XXErrors", "Invocation5XXErrors")
QUANTILES = {"p50": 0.0, "p90": 1.28, "p95": 1.64, "p99": 2.33}
POLICY = GatePolicy(
    rules=(
        CompletenessGate(),
        *(ErrorRateGate(metric=metric) for metric in ERRORS),
        *(ErrorThresholdGate(metric=metric, limit=0.01) for metric in ERRORS),
        *(LatencyGate(quantile=quantile) for quantile in QUANTILES),
    )
)


def evidence(periods: int, seed: int = 1) -> Evidence:
    """Return evidence of equal variants: 20 requests a second, 0.1 % errors, lognormal latencies."""
    rng = np.random.default_rng(seed)
    rows: dict[str, list[Period]] = {"production": [], "shadow": []}
    levels = {q: 50_000 * float(np.exp(0.47 * z)) for q, z in QUANTILES.items()}
    beyond = {q: 1 - float(q[1:]) / 100 for q in QUANTILES}
    for i in range(periods):
        n = int(rng.poisson(1200))
        for variant, kept in rows.items():
            jitter = rng.normal(0, 0.03)
            less = 1.1 ** -(2 if variant == "shadow" else 0)
            kept.append(
                Period(
                    start=BEGIN + timedelta(minutes=i),
                    invocations=float(n),
                    errors={m: float(x) for m in ERRORS if (x := rng.binomial(n, 0.001))},
                    latency={q: v * float(np.exp(jitter + rng.normal(0, 0.02))) for q, v in levels.items()},
                    slower={q: float(rng.binomial(n, share * less)) for q, share in beyond.items()},
                )
            )
    return Evidence(
        begin=BEGIN,
        end=BEGIN + timedelta(minutes=periods),
        period=60,
        sampling=1.0,
        production=tuple(rows["production"]),
        shadow=tuple(rows["shadow"]),
        thresholds=tuple(Threshold(label=q, production_us=v, shadow_us=v * 1.1) for q, v in levels.items()),
    )


def with_times(found: Evidence, seed: int = 2) -> Evidence:
    """Return the evidence with pairs of all its requests, timed by both containers, at a margin of a tenth.

    A period's pairs lie on some fifteen levels of latency, lognormal as the percentiles are; half are within the margin.
    """
    rng = np.random.default_rng(seed)
    levels = np.arange(-10, 11)
    weights = np.exp(-0.5 * (levels * STEP / 0.47) ** 2)
    shares = np.outer(weights / weights.sum(), np.full(BINS, 1 / BINS)).ravel()
    middle = round(float(np.log(50_000)) / STEP)
    periods: dict[int, dict[int, Signs]] = {}
    for row in found.production:
        counts = rng.multinomial(int(row.invocations), shares).reshape(levels.size, BINS).tolist()
        periods[int(row.start.timestamp())] = {
            middle + level: Signs(counts=tuple(signs))
            for level, signs in zip(levels.tolist(), counts, strict=True)
            if any(signs)
        }
    n = int(sum(row.invocations for row in found.production))
    pairs = Pairs(
        period=found.period,
        production=Records(read=n, matched=n),
        shadow=Records(read=n, matched=n),
        all=Tally(n=n, same=n, close=n),
        inputs_squared=n,
        periods={start: (sum(signs.n for signs in by.values()), 0) for start, by in periods.items()},
        answers=(1, 2),
        latency=Moments(n=n),
        paces={0.1: Pace(periods=periods)},
    )
    return replace(found, pairs=pairs)


def timed(work: Callable[[], object], repeats: int) -> dict[str, float]:
    """Return the median and the least CPU milliseconds of so many repeats."""
    spent = []
    for _ in range(repeats):
        before = time.process_time()
        work()
        spent.append(1000 * (time.process_time() - before))
    return {"median_ms": round(statistics.median(spent), 2), "least_ms": round(min(spent), 2)}


def main() -> None:
    """Time the parts, print them and, if asked to, keep them."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    arguments.add_argument("--periods", type=int, default=1440)
    arguments.add_argument("--repeats", type=int, default=15)
    arguments.add_argument("--write", action="store_true")
    asked = arguments.parse_args()
    whole = evidence(asked.periods)
    table = Table.of(whole)
    parts: dict[str, list[Any]] = {"error_rate": [], "error_threshold": [], "latency": []}
    for rule in POLICY.rules:
        if rule.kind in parts:
            parts[rule.kind].append(rule)
    load = os.getloadavg()[0]
    paired = with_times(whole)
    paired_table = Table.of(paired)
    if not all(signs.any() for signs in (curve(r, paired_table) - curve(r, table) for r in parts["latency"])):
        raise SystemExit("the paired times are not in the evidence; see include.gates.pace.paced")
    look(whole, POLICY)  # warm
    found: dict[str, dict[str, float]] = {
        "columns": timed(lambda: Table.of(whole), asked.repeats),
        **{
            f"{len(rules)} {kind} curves": timed(
                lambda rules=rules: [curve(r, table) for r in rules], asked.repeats
            )
            for kind, rules in parts.items()
        },
        "one look, ten gates": timed(lambda: look(whole, POLICY), asked.repeats),
        "4 latency curves, paired times": timed(
            lambda: [curve(r, paired_table) for r in parts["latency"]], asked.repeats
        ),
        "one look, ten gates, paired times": timed(lambda: look(paired, POLICY), asked.repeats),
    }
    from include.gates.judge import judge

    judge(whole, POLICY, reading=1)  # imports Great Expectations
    found["whole verdict"] = timed(lambda: judge(whole, POLICY, reading=1), 3)
    found["whole verdict, paired times"] = timed(lambda: judge(paired, POLICY, reading=1), 3)
    for name, spent in found.items():
        print(f"{name:34} {spent['median_ms']:9.2f} ms, at least {spent['least_ms']:.2f} ms")
    if asked.write:
        keep(asked.periods, found, load)


def keep(periods: int, found: dict[str, dict[str, float]], load: float) -> None:
    """Write the numbers beside the date, the machine and how busy it was."""
    today = datetime.datetime.now(UTC).date().isoformat()
    path = ROOT / "benchmarks" / "results" / f"tick-{today}.json"
    path.parent.mkdir(exist_ok=True)
    machine = {
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_before": round(load, 1),
    }
    document = {"date": today, "machine": machine, "periods": periods, "gates": 10, "cpu": found}
    path.write_text(json.dumps(document, indent=1) + "\n")
    print(f"kept in {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
