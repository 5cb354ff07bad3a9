"""Rollouts of a simulated endpoint, decided by the real gates as the product decides them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from scipy.stats import t as student

from include.gates.calibration import calibration_of, informed, log_ratios
from include.gates.look import Look, look_at
from include.gates.reading import Reading
from include.gates.rules import assess
from include.gates.table import Table
from include.rollout.evidence import Evidence
from include.rollout.gate import AgreementGate, CompletenessGate, ErrorRateGate, GatePolicy, LatencyGate
from include.rollout.pairs import Tally
from include.rollout.verdict import Verdict, fold
from include.stats.calibration import PRIOR, Calibration, Noise, pooled
from tests.soak.world.endpoint import World, until, windows

# What a real endpoint is judged by unless its spec says otherwise, in a world without a minimum sample.
POLICY = GatePolicy(
    rules=(CompletenessGate(), ErrorRateGate(), *(LatencyGate(quantile=q) for q in ("p50", "p90", "p99")))
)
# Where answers are captured, they are to agree as well.
AGREEING = GatePolicy(rules=(*POLICY.rules, AgreementGate()))


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
    aborts: Mapping[int, int]  # period -> how many were aborted after it

    def aborted_by(self, period: float) -> int:
        """Return how many rollouts were aborted after so many periods or fewer."""
        return sum(count for after, count in self.aborts.items() if after <= period)

    @property
    def median(self) -> float:
        """The median period of the abort, infinite where fewer than half were aborted."""
        known = np.repeat([float(after) for after in self.aborts], list(self.aborts.values()))
        return float(np.median(np.concatenate((known, np.full(self.runs - known.size, np.inf)))))


def decide(evidence: Evidence, policy: GatePolicy, *, length: int, noise: Noise = PRIOR) -> Trial:
    """Look after every period, read at `length` periods and, if that is inconclusive, at the evidence's end.

    The curves of a look do not change when evidence is added (a test holds them to it), so that one look at the
    end of each window is all the looks before it.
    """
    table = Table.of(until(evidence, length))
    fraction = length / len(evidence.expected)
    verdict, aborted = _read(table, policy, Reading(number=1, fraction=fraction), noise)
    final = verdict
    if verdict is Verdict.INCONCLUSIVE and fraction < 1:
        second = Reading(number=2, fraction=fraction)
        final, aborted = _read(Table.of(evidence), policy, second, noise)
    return Trial(first=verdict, final=final, aborted_after=aborted)


def share(
    world: World,
    policy: GatePolicy = POLICY,
    *,
    seed: int,
    runs: int,
    length: int | None = None,
    calibrations: int = 0,
) -> Share:
    """Return what becomes of `runs` rollouts with a window of `length` periods, and the rest to extend it.

    With `calibrations`, so many A/A rollouts of `length` periods come first, anew for every ten rollouts.
    """
    length = length or world.periods
    trials, noise, judged = [], PRIOR, policy
    for run, evidence in enumerate(windows(world, seed=seed, runs=runs)):
        if calibrations and run % 10 == 0:
            known = learned(replace(world, periods=length), seed=seed + 1000 + run, runs=calibrations)
            noise, judged = pooled(known), informed(policy, [each.to_document() for each in known])
        trials.append(decide(evidence, judged, length=length, noise=noise))
    aborts = Counter(trial.aborted_after for trial in trials if trial.aborted_after is not None)
    firsts, finals = [trial.first for trial in trials], [trial.final for trial in trials]
    return Share(
        runs=runs,
        rolled_back=finals.count(Verdict.ROLL_BACK) / runs,
        promoted=firsts.count(Verdict.PROMOTE) / runs,
        inconclusive=firsts.count(Verdict.INCONCLUSIVE) / runs,
        finally_promoted=finals.count(Verdict.PROMOTE) / runs,
        finally_inconclusive=finals.count(Verdict.INCONCLUSIVE) / runs,
        aborts=dict(sorted(aborts.items())),
    )


def pooled_shares(parts: Sequence[Share]) -> Share:
    """Return the shares of equally many rollouts each together."""
    means = {
        f.name: float(np.mean([getattr(p, f.name) for p in parts])) for f in fields(Share) if f.type is float
    }
    aborts = sum((Counter(part.aborts) for part in parts), Counter())
    return Share(**means, runs=sum(part.runs for part in parts), aborts=dict(sorted(aborts.items())))


def learned(world: World, *, seed: int, runs: int) -> list[Calibration]:
    """Return what so many A/A rollouts on that endpoint teach."""
    equal = replace(world, ratio=1.0, tail=1.0, shadow_error_rate=None, flips=0.0)
    found = []
    for run, evidence in enumerate(windows(equal, seed=seed, runs=runs)):
        tally = Tally() if evidence.pairs is None else evidence.pairs.all
        found.append(calibration_of(evidence, rollout_id=str(run), flips=tally.flips, pairs=tally.n))
    return [calibration for calibration in found if calibration is not None]


def _read(table: Table, policy: GatePolicy, reading: Reading, noise: Noise) -> tuple[Verdict, int | None]:
    found: Look = look_at(table, policy, readings=True, noise=noise)
    if found.aborts:
        return Verdict.ROLL_BACK, found.crossed_after
    reading = replace(reading, contradictions=found.contradictions, log_es=found.log_es)
    return fold([assess(rule, table, reading, noise) for rule in policy.rules]), None


def peeked(world: World, *, seed: int, runs: int, alpha: float = 0.01) -> float:
    """Return how often the control rolls equal variants back: a t-test of each percentile's log ratio, at every look.

    It asks whether the shadow is slower at all, as if each look were the only one.
    """
    found = 0
    for evidence in windows(world, seed=seed, runs=runs):
        table = Table.of(evidence)
        for quantile in ("p50", "p90", "p99"):
            x = log_ratios(quantile, table)
            looks = np.arange(3, x.size + 1)
            means = np.array([x[:k].mean() for k in looks])
            errors = np.array([x[:k].std(ddof=1) for k in looks]) / np.sqrt(looks)
            if (means / errors > student.ppf(1 - alpha, looks - 1)).any():
                found += 1
                break
    return found / runs
