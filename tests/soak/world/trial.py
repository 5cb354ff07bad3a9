"""Rollouts of a simulated endpoint, decided by the real gates as the product decides them."""

from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from include.gates.look import Look, look_at
from include.gates.reading import Reading
from include.gates.rules import assess
from include.gates.table import Table
from include.rollout.evidence import Evidence
from include.rollout.gate import GatePolicy
from include.rollout.verdict import Verdict, fold
from include.stats.calibration import PRIOR, Noise
from tests.soak.world.endpoint import World, windows


@dataclass(frozen=True, kw_only=True)
class Trial:
    """How one rollout went: the verdict at the window's end, after its one extension, and when it was aborted."""

    first: Verdict
    final: Verdict
    aborted_after: int | None  # periods


@dataclass(frozen=True, kw_only=True)
class Share:
    """What became of many rollouts, in shares of them."""

    runs: int
    rolled_back: float
    promoted: float  # at the window's end
    inconclusive: float
    finally_promoted: float  # at the end of the extension
    finally_inconclusive: float
    median: float  # period of the abort, infinite where fewer than half were aborted


def decide(evidence: Evidence, policy: GatePolicy, *, length: int, noise: Noise = PRIOR) -> Trial:
    """Look after every period, read at `length` periods and, if that is inconclusive, at the evidence's end.

    The curves of a look do not change when evidence is added (a test holds them to it), so that one look at the
    end of each window is all the looks before it.
    """
    table = Table.of(until(evidence, length))
    verdict, aborted = _read(table, policy, 1, noise)
    final = verdict
    if verdict is Verdict.INCONCLUSIVE and length < len(evidence.expected):
        final, aborted = _read(Table.of(evidence), policy, 2, noise)
    return Trial(first=verdict, final=final, aborted_after=aborted)


def share(
    world: World,
    policy: GatePolicy,
    *,
    seed: int,
    runs: int,
    length: int | None = None,
    noise: Noise = PRIOR,
) -> Share:
    """Return what becomes of `runs` rollouts with a window of `length` periods, and the rest to extend it."""
    trials = [
        decide(evidence, policy, length=length or world.periods, noise=noise)
        for evidence in windows(world, seed=seed, runs=runs)
    ]
    when = [np.inf if trial.aborted_after is None else trial.aborted_after for trial in trials]
    firsts, finals = [trial.first for trial in trials], [trial.final for trial in trials]
    return Share(
        runs=runs,
        rolled_back=finals.count(Verdict.ROLL_BACK) / runs,
        promoted=firsts.count(Verdict.PROMOTE) / runs,
        inconclusive=firsts.count(Verdict.INCONCLUSIVE) / runs,
        finally_promoted=finals.count(Verdict.PROMOTE) / runs,
        finally_inconclusive=finals.count(Verdict.INCONCLUSIVE) / runs,
        median=float(np.median(when)),
    )


def until(evidence: Evidence, periods: int) -> Evidence:
    """Return what was known after so many periods."""
    end = evidence.begin + timedelta(seconds=periods * evidence.period)
    kept = {
        variant: tuple(row for row in getattr(evidence, variant) if row.start < end)
        for variant in ("production", "shadow")
    }
    return replace(evidence, end=end, **kept)


def _read(table: Table, policy: GatePolicy, number: int, noise: Noise) -> tuple[Verdict, int | None]:
    found: Look = look_at(table, policy, readings=False, noise=noise)
    if found.aborts:
        return Verdict.ROLL_BACK, found.crossed_after
    found = look_at(table, policy, readings=True, noise=noise)
    reading = Reading(number=number, contradictions=found.contradictions, log_es=found.log_es)
    return fold([assess(rule, table, reading, noise) for rule in policy.rules]), None
