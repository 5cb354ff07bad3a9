"""One look at a running window: may it go on, or does the evidence already contradict a limit?

Cheap enough for every tick and free of Great Expectations and pandas, so that a trigger can run it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from include.gates.latency import abreast
from include.gates.reading import Contradiction, Reading
from include.gates.rules import aborts, assess, curve
from include.gates.table import Table
from include.gates.wording import evidence as written
from include.gates.wording import periods
from include.rollout.evidence import Evidence
from include.rollout.gate import Finding, GatePolicy
from include.stats.calibration import PRIOR, Noise
from include.stats.eprocess import log_threshold

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the running evidence says after the last period of a window so far."""

    periods: int  # measured for both variants
    log_e: float  # the average over the abort's e-processes, now
    bar: float  # log(1 / abort alpha)
    crossed_after: int | None  # expected periods after which the average first reached the bar
    curve: tuple[float, ...]  # the average after each expected period
    curves: Mapping[str, tuple[float, ...]]  # gate -> its log e after each expected period
    log_es: Mapping[str, float]  # gate -> its log e now
    contradictions: Mapping[str, Contradiction]
    findings: tuple[Finding, ...]  # of the gates whose limit is contradicted

    @property
    def aborts(self) -> bool:
        """Say whether the window should be cut short."""
        return self.crossed_after is not None

    @property
    def sentence(self) -> str:
        """Say in one sentence where the evidence stands."""
        if self.aborts:
            latencies = [finding for finding in self.findings if finding.kind == "latency" and finding.binds]
            told_already = latencies[1:]  # the first one's reason has every binding percentile
            return "; ".join(finding.reason for finding in self.findings if finding not in told_already)
        return (
            f"evidence for an abort is {written(self.log_e)} after {periods(self.periods)}; "
            f"it needs {written(self.bar)}"
        )


def look(evidence: Evidence, policy: GatePolicy, *, noise: Noise = PRIOR) -> Look:
    """Say whether the evidence so far contradicts a limit that promotion would have to meet.

    The e-processes of all critical gates with `abort` are averaged period by period and held against
    1 / abort_alpha; a gate without data multiplies by one. Looking at every tick keeps the error at abort_alpha.
    """
    return look_at(Table.of(evidence), policy, readings=False, noise=noise)


def look_at(table: Table, policy: GatePolicy, *, readings: bool, noise: Noise = PRIOR) -> Look:
    """Look at a table. With `readings`, gates outside the early abort are held against their own evidence too."""
    bar = log_threshold(policy.abort_alpha)
    curves = {rule.name: found for rule in policy.rules if (found := curve(rule, table, noise)) is not None}
    shared = [rule.name for rule in policy.rules if rule.name in curves and aborts(rule)]
    average = _average([curves[name] for name in shared], len(table))
    above = np.flatnonzero(average >= bar)
    contradictions: dict[str, Contradiction] = {}
    crossed_after = None
    if above.size:
        at = int(above[0])
        crossed_after = at + 1
        now = {name: float(curves[name][at]) for name in shared}
        for name in _rejected(now, bar):
            contradictions[name] = Contradiction(
                log_e=float(average[at]), bar=bar, periods=at + 1, shared=len(shared)
            )
    if readings:
        for name in curves.keys() - set(shared):
            alone = np.flatnonzero(curves[name] >= bar)
            if alone.size:
                first = int(alone[0])
                contradictions[name] = Contradiction(
                    log_e=float(curves[name][first]), bar=bar, periods=first + 1
                )
    told = {name: tuple(float(v) for v in values) for name, values in curves.items()}
    last = {name: values[-1] for name, values in told.items() if values}
    reading = Reading(number=0, contradictions=contradictions, log_es=last)
    return Look(
        periods=int(table.used.sum()),
        log_e=float(average[-1]) if len(table) else 0.0,
        bar=bar,
        crossed_after=crossed_after,
        curve=tuple(float(v) for v in average),
        curves=told,
        log_es=last,
        contradictions=contradictions,
        findings=abreast(
            [assess(rule, table, reading, noise) for rule in policy.rules if rule.name in contradictions],
            policy.rules,
            table,
            noise,
        ),
    )


def _average(curves: list[Floats], length: int) -> Floats:
    if not curves:
        return np.zeros(length)
    return np.asarray(np.logaddexp.reduce(curves, axis=0) - np.log(len(curves)), dtype=np.float64)


def _rejected(log_es: Mapping[str, float], bar: float) -> list[str]:
    """Name the processes that closed testing rejects at 1/exp(bar), or the strongest one if it rejects none.

    A process is rejected if the average of every set that holds it crosses; the set that averages least is the
    process with all those below their common mean (Vovk & Wang 2021, "E-values", section 5).
    """
    ranked = sorted(log_es, key=lambda name: log_es[name])
    values = np.exp(np.minimum(np.array([log_es[name] for name in ranked]) - bar, 600.0))
    rejected = []
    for position, name in enumerate(ranked):
        least, total = values[position], values[position]
        for size, smaller in enumerate(np.delete(values, position), start=2):
            total += smaller
            least = min(least, total / size)
        if least >= 1:
            rejected.append(name)
    return rejected or ranked[-1:]
