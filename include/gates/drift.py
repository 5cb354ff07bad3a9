"""Whether the shadow's outputs are distributed as production's are, on the same requests."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from include.gates.agreement import problems_of
from include.gates.reading import Reading
from include.gates.table import Table
from include.gates.wording import count, percent, points
from include.rollout.gate import DriftGate, Finding, Outcome
from include.rollout.pairs import Pairs
from include.rollout.sketch import Sketch
from include.stats.paired import Discordance, mean_limits, tango_limits

BINS = 10  # of the population stability index, each with a tenth of production's outputs
LEAST = 1000  # pairs' worth that an index or a distance without an interval rests on


def drift(gate: DriftGate, table: Table, reading: Reading) -> Finding:
    """Pass only if the mean shift is shown to lie within the limit on both sides, and every stated bound holds.

    The shift is paired, request by request, in standard deviations of production's outputs, and tested for equivalence
    by two one-sided t tests (Schuirmann 1987); it fails when its interval lies beyond the limit. The share of positive
    decisions is compared by Tango's score limits (1998). Index and distance have no interval; their reason says so.
    """
    pairs, alpha = table.pairs, reading.alpha(gate)
    facts: dict[str, Any] = {
        "unit": "standard deviations of production's outputs",
        "limit": gate.mean,
        "alpha": alpha,
        "n": 0 if pairs is None else pairs.shift.n,
        "periods": 0 if pairs is None else len(pairs.periods),
        "dropped": 0 if pairs is None else max(0, len(table) - len(pairs.periods)),
    }
    if pairs is None:
        return reading.finding(gate, Outcome.NO_DATA, "no captures of both variants were collected", **facts)
    if not pairs.shift.n:
        return reading.finding(gate, Outcome.NO_DATA, "no pair has a number of both variants", **facts)
    scale = pairs.levels["production"].sd if "production" in pairs.levels else math.nan
    index, distance = stability_index(pairs), ks_distance(pairs)
    worth = pairs.shift.n / pairs.repetition
    facts["details"] = {
        "mean": {"production": _mean(pairs, "production"), "shadow": _mean(pairs, "shadow")},
        "sd": scale,
        "psi": index,
        "ks": distance,
        "quantiles": {
            variant: {f"p{100 * share:g}": sketch.quantile(share) for share in (0.01, 0.1, 0.5, 0.9, 0.99)}
            for variant, sketch in sorted(pairs.outputs.items())
        },
        "repetition": pairs.repetition,
    }
    doubts = problems_of(pairs, table, gate.unmatched)
    lacking = pairs.all.n - pairs.shift.n
    if lacking > gate.unmatched * pairs.all.n:
        doubts.append(f"{count(lacking)} of {count(pairs.all.n)} pairs have no number of both variants")
    if pairs.all.wild:
        doubts.append(f"{count(pairs.all.wild)} differences are out of range, so set pairs.unit")
    if not scale > 0 or worth < 2:
        doubts.append(
            "production's outputs do not vary, so there is nothing to measure a shift by"
            if worth >= 2
            else f"{count(pairs.shift.n)} pairs are too few"
        )
        return reading.finding(gate, Outcome.INCONCLUSIVE, "; ".join(doubts), **facts)
    low, high = (
        limit / scale
        for limit in mean_limits(
            mean=pairs.shift.mean, sd=pairs.shift.sd, n=pairs.shift.n, alpha=alpha, phi=pairs.repetition
        )
    )
    facts |= {"effect": pairs.shift.mean / scale, "low": low, "high": high}
    words = (
        f"the shadow's outputs lie {facts['effect']:+.3g} standard deviations from production's (between {low:+.3g} and "
        f"{high:+.3g}), and up to {gate.mean:g} either way is allowed; {_told(index, distance)}"
    )
    broken = [f"the shift is beyond {gate.mean:g}"] if low > gate.mean or high < -gate.mean else []
    if not broken and not (-gate.mean < low and high < gate.mean):
        doubts.append(f"a shift beyond {gate.mean:g} cannot be excluded")
    _judge_bounds(gate, index, distance, worth, broken, doubts)
    if gate.positives is not None:
        _judge_positives(pairs, gate.positives, alpha, broken, doubts)
    if not reading.is_final:
        doubts.append("the window was cut short before this gate was read")
    if broken and not problems_of(pairs, table, gate.unmatched) and reading.is_final:
        return reading.finding(gate, Outcome.FAIL, f"{words}; {'; '.join(broken)}", **facts)
    if doubts or broken:
        return reading.finding(
            gate, Outcome.INCONCLUSIVE, f"{words}, but {'; '.join([*broken, *doubts])}", **facts
        )
    return reading.finding(
        gate, Outcome.PASS, f"{words}, which holds with {percent(1 - alpha)} confidence", **facts
    )


def stability_index(pairs: Pairs) -> float:
    """Return the population stability index: sum of (s - p) log(s/p) over bins of a tenth of production's outputs.

    Bins end where buckets of the sketch end, so outputs that are equal to 1 % are in one bin; an empty bin counts as
    half an output. NaN without outputs. The index is the symmetrised Kullback-Leibler divergence (Jeffreys 1946).
    """
    production, shadow = _sketches(pairs)
    if not production.n or not shadow.n:
        return math.nan
    edges: list[int] = []
    seen = 0
    for bucket in sorted(production.counts):
        seen += production.counts[bucket]
        if seen * BINS >= (len(edges) + 1) * production.n and len(edges) < BINS - 1:
            edges.append(bucket)
    shares = []
    for sketch in (production, shadow):
        below = [sum(n for b, n in sketch.counts.items() if b <= edge) for edge in edges]
        counts = [after - before for before, after in pairwise([0, *below, sketch.n])]
        shares.append([max(n, 0.5) / sketch.n for n in counts])
    return math.fsum((s - p) * math.log(s / p) for p, s in zip(*shares, strict=True))


def ks_distance(pairs: Pairs) -> float:
    """Return the largest distance between the two distribution functions, at the ends of the sketch's buckets."""
    production, shadow = _sketches(pairs)
    if not production.n or not shadow.n:
        return math.nan
    largest, p, s = 0.0, 0, 0
    for bucket in sorted({*production.counts, *shadow.counts}):
        p += production.counts.get(bucket, 0)
        s += shadow.counts.get(bucket, 0)
        largest = max(largest, abs(p / production.n - s / shadow.n))
    return largest


def _judge_bounds(
    gate: DriftGate, index: float, distance: float, worth: float, broken: list[str], doubts: list[str]
) -> None:
    """Hold the index and the distance against the bounds that are stated."""
    for name, value, bound in (("index", index, gate.psi), ("distance", distance, gate.ks)):
        if bound is not None and worth < LEAST:
            doubts.append(f"the {name} needs {count(LEAST)} pairs and they are worth {count(worth)}")
        elif bound is not None and not value <= bound:
            broken.append(f"the {name} {value:.3g} is above {bound:g} (no interval)")


def _judge_positives(pairs: Pairs, most: float, alpha: float, broken: list[str], doubts: list[str]) -> None:
    """Hold the change of the share of positive decisions against its limit, by Tango's interval."""
    if not pairs.all.n:
        doubts.append("no pair was compared, so positive decisions cannot be counted")
        return
    found = Discordance(shadow_only=pairs.all.rises, production_only=pairs.all.falls, pairs=pairs.all.n)
    low, high = tango_limits(found, alpha=alpha, phi=pairs.repetition)
    words = (
        f"positive decisions change by {points(found.difference)} (between {points(low)} and {points(high)})"
    )
    if low > most or high < -most:
        broken.append(f"{words}, beyond {points(most)}")
    elif not (-most < low and high < most):
        doubts.append(f"{words}, so a change beyond {points(most)} cannot be excluded")


def _told(index: float, distance: float) -> str:
    return f"stability index {index:.3g}, Kolmogorov-Smirnov distance {distance:.3g}"


def _mean(pairs: Pairs, variant: str) -> float | None:
    found = pairs.levels.get(variant)
    return None if found is None or not found.n else found.mean


def _sketches(pairs: Pairs) -> tuple[Sketch, Sketch]:
    return pairs.outputs.get("production", Sketch()), pairs.outputs.get("shadow", Sketch())
