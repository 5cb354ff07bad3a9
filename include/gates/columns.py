"""How far each column of the answers has moved: the number, every element of a vector, every label."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from include.rollout.columns import Column, Label
from include.rollout.pairs import Pairs
from include.rollout.sketch import Sketch
from include.stats.paired import Discordance, mean_limits, tango_limits

BINS = 10  # of the population stability index, each with a tenth of production's outputs
# A label that production gives less often than this counts as given so often: the share of a rare one has hardly a
# standard deviation to measure a shift by.
RAREST = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """The shift of one column's mean, in standard deviations of production's; positive where the shadow's is larger."""

    name: str  # how reasons call it
    n: int
    sd: float  # production's
    effect: float
    low: float  # one-sided limits at alpha
    high: float
    sure_low: float  # at alpha shared by all columns, for whoever looks for one that moved
    sure_high: float
    index: float  # population stability index
    distance: float  # Kolmogorov-Smirnov; NaN for labels
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reach(self) -> float:
        """Return how far the column may have moved, either way."""
        return max(abs(self.low), abs(self.high))


def shifts(pairs: Pairs, *, alpha: float) -> list[Shift]:
    """Return the shift of every column that varies, the one that may have moved furthest first.

    Numbers by t limits of the paired differences' mean, labels by Tango's limits (1998) of the paired change of their
    share. An element that is the same constant for both variants is no column. Pairs count as many as different inputs.
    """
    columns = {name: column for name, column in columns_of(pairs).items() if not _idle(column)}
    labels = pairs.columns.labels
    share = alpha / max(1, len(columns) + len(labels))
    found = [
        _number(name, column, pairs, alpha, share)
        for name, column in columns.items()
        if _varies(column, pairs)
    ]
    n = sum(label.production for label in labels.values())
    if n and n / pairs.repetition >= 2 and len(labels) > 1:
        index = label_index(labels)
        found += [
            _label(name, label, n, index, pairs, alpha, share)
            for name, label in labels.items()
            if _possible(label, n)
        ]
    return sorted(found, key=lambda shift: (-shift.reach, shift.name))


def columns_of(pairs: Pairs) -> dict[str, Column]:
    """Return the columns of numbers: one without a name, or all elements of a vector by theirs."""
    if not pairs.shift.n:
        return {}
    levels, outputs = pairs.levels, pairs.outputs
    first = Column(
        production=levels["production"] if "production" in levels else Column().production,
        shadow=levels["shadow"] if "shadow" in levels else Column().shadow,
        shift=pairs.shift,
        production_outputs=outputs.get("production", Sketch()),
        shadow_outputs=outputs.get("shadow", Sketch()),
    )
    others = {f"element {name}": column for name, column in pairs.columns.elements.items()}
    return {"element 0" if others else "": first, **others}


def stuck(pairs: Pairs) -> Iterator[str]:
    """Say which columns of numbers cannot be measured, because production's do not vary or there are too few."""
    for name, column in columns_of(pairs).items():
        whose = f" in {name}" if name else ""
        if column.shift.n / pairs.repetition < 2:
            yield f"{column.shift.n:,} pairs are too few{whose}"
        elif not _varies(column, pairs) and not (name and _idle(column)):
            yield f"production's outputs do not vary{whose}, so there is nothing to measure a shift by"
    labels = pairs.columns.labels
    n = sum(label.production for label in labels.values())
    if not all(_possible(label, n) for label in labels.values()):
        yield "the counts of labels contradict each other"


def _possible(label: Label, n: int) -> bool:
    """Say whether so many of n pairs can have got a label: each either from one variant alone, or from both."""
    alone = label.production - label.both, label.shadow - label.both
    return min(*alone, label.both) >= 0 and sum(alone) + label.both <= n


def stability_index(production: Sketch, shadow: Sketch) -> float:
    """Return the population stability index: sum of (s - p) log(s/p) over bins of a tenth of production's outputs.

    Bins end where buckets of the sketch end, so outputs that are equal to 1 % are in one bin; an empty bin counts as
    half an output. NaN without outputs. The index is the symmetrised Kullback-Leibler divergence (Jeffreys 1946).
    """
    if not production.n or not shadow.n:
        return math.nan
    edges: list[int] = []
    seen = 0
    for bucket in sorted(production.counts):
        seen += production.counts[bucket]
        if seen * BINS >= (len(edges) + 1) * production.n and len(edges) < BINS - 1:
            edges.append(bucket)
    counts = []
    for sketch in (production, shadow):
        below = [sum(n for b, n in sketch.counts.items() if b <= edge) for edge in edges]
        counts.append([after - before for before, after in pairwise([0, *below, sketch.n])])
    return _index(*counts)


def label_index(labels: Mapping[str, Label]) -> float:
    """Return the population stability index with a bin for each label; NaN without any."""
    return _index(
        [label.production for label in labels.values()], [label.shadow for label in labels.values()]
    )


def ks_distance(production: Sketch, shadow: Sketch) -> float:
    """Return the largest distance between the two distribution functions, at the ends of the sketch's buckets."""
    if not production.n or not shadow.n:
        return math.nan
    largest, p, s = 0.0, 0, 0
    for bucket in sorted({*production.counts, *shadow.counts}):
        p += production.counts.get(bucket, 0)
        s += shadow.counts.get(bucket, 0)
        largest = max(largest, abs(p / production.n - s / shadow.n))
    return largest


def _index(production: list[int], shadow: list[int]) -> float:
    if not sum(production) or not sum(shadow):
        return math.nan
    shares = [[max(n, 0.5) / sum(counts) for n in counts] for counts in (production, shadow)]
    return math.fsum((s - p) * math.log(s / p) for p, s in zip(*shares, strict=True))


def _varies(column: Column, pairs: Pairs) -> bool:
    return column.production.sd > 0 and column.shift.n / pairs.repetition >= 2


def _idle(column: Column) -> bool:
    """Say whether both variants give one and the same number always, as a class that is never told."""
    return column.production.sd == 0 and column.shift.sd == 0 and column.shift.total == 0


def _number(name: str, column: Column, pairs: Pairs, alpha: float, share: float) -> Shift:
    scale, shift = column.production.sd, column.shift
    (low, high), (sure_low, sure_high) = (
        (
            limit / scale
            for limit in mean_limits(
                mean=shift.mean, sd=shift.sd, n=shift.n, alpha=each, phi=pairs.repetition
            )
        )
        for each in (alpha, share)
    )
    sketches = {"production": column.production_outputs, "shadow": column.shadow_outputs}
    return Shift(
        name=name,
        n=shift.n,
        sd=scale,
        effect=shift.mean / scale,
        low=low,
        high=high,
        sure_low=sure_low,
        sure_high=sure_high,
        index=stability_index(column.production_outputs, column.shadow_outputs),
        distance=ks_distance(column.production_outputs, column.shadow_outputs),
        details={
            "mean": {
                variant: moments.mean if moments.n else None
                for variant, moments in (("production", column.production), ("shadow", column.shadow))
            },
            "quantiles": {
                variant: {f"p{100 * q:g}": sketch.quantile(q) for q in (0.01, 0.1, 0.5, 0.9, 0.99)}
                for variant, sketch in sketches.items()
            },
        },
    )


def _label(name: str, label: Label, n: int, index: float, pairs: Pairs, alpha: float, share: float) -> Shift:
    found = Discordance(
        shadow_only=label.shadow - label.both, production_only=label.production - label.both, pairs=n
    )
    rate = min(max(label.production / n, RAREST), 1 - RAREST)
    scale = math.sqrt(rate * (1 - rate))
    (low, high), (sure_low, sure_high) = (
        (limit / scale for limit in tango_limits(found, alpha=each, phi=pairs.repetition))
        for each in (alpha, share)
    )
    return Shift(
        name=f"label {name}",
        n=n,
        sd=scale,
        effect=found.difference / scale,
        low=low,
        high=high,
        sure_low=sure_low,
        sure_high=sure_high,
        index=index,
        distance=math.nan,
        details={"share": {"production": label.production / n, "shadow": label.shadow / n}},
    )
