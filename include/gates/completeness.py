"""Whether there is enough evidence, and of the right traffic, to judge anything at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from include.gates.reading import Reading
from include.gates.table import INVOCATIONS, VARIANTS, Table
from include.gates.wording import count, percent, periods
from include.rollout.gate import CompletenessGate, Finding, MinSampleGate, Outcome
from include.stats.proportions import sample_ratio_p

# With millions of requests a harmless deviation is significant too: requests are counted when they are answered,
# so some fall into the neighbouring window. A share within one per cent of the sampling is no mismatch.
HARMLESS_DEVIATION = 0.01


def completeness(gate: CompletenessGate, table: Table, reading: Reading) -> Finding:
    """Pass only if nearly every period was measured for both variants and the shadow got its share.

    Never FAIL: incomplete evidence says nothing about the candidate.
    """
    used = table.used
    missing = int(len(table) - used.sum())
    production, shadow = (table.column(v, INVOCATIONS)[used].sum() for v in VARIANTS)
    facts = {
        "unit": "share of periods",
        "limit": gate.periods,
        "n": int(shadow),
        "periods": int(used.sum()),
        "dropped": missing,
    }
    details: dict[str, object] = {"stray": table.stray, "contradicted": table.contradicted}
    if not used.any():
        seen = [v for v in VARIANTS if np.nansum(table.column(v, INVOCATIONS)) > 0]
        only = f"; only {seen[0]} was seen" if len(seen) == 1 else ""
        return reading.finding(
            gate,
            Outcome.NO_DATA,
            f"none of {periods(len(table))} has requests of both variants{only}",
            details=details,
            **facts,
        )
    share, gap = float(used.mean()), _longest_gap(used)
    ratio = float(shadow / production)
    levels = _levels(table)
    p = min((level.p for level in levels), default=1.0)
    strays = [level for level in levels if level.strays(gate.sample_ratio_alpha / len(levels))]
    details |= {"longest_gap": gap, "ratio": ratio, "sampling": table.sampling, "ratio_p": p}
    if table.resamplings:
        details["samplings"] = [asdict(level) for level in levels]
    problems = []
    if not table.stable:
        problems.append("two readings of the metrics still differ")
    if share < gate.periods:
        problems.append(
            f"both variants were measured in {percent(share)} of {periods(len(table))}, "
            f"and at least {percent(gate.periods)} is needed"
        )
    if gap > gate.gap:
        problems.append(f"the longest gap is {periods(gap)}, and at most {gate.gap} may be missing in a row")
    problems += [
        f"the shadow answered {count(level.shadow)} of production's {count(level.production)} requests, "
        f"{percent(level.ratio)} where {percent(level.sampling)} are copied (p = {level.p:.2g}): "
        "it did not see the same traffic"
        for level in strays
    ]
    if problems:
        return reading.finding(
            gate, Outcome.INCONCLUSIVE, "; ".join(problems), effect=share, details=details, **facts
        )
    return reading.finding(
        gate,
        Outcome.PASS,
        f"both variants were measured in {count(used.sum())} of {periods(len(table))}, and the shadow answered "
        f"{percent(ratio)} of the requests where {_copied(table, levels)}",
        effect=share,
        details=details,
        **facts,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Level:
    """What both variants answered in all measured periods of one sampling."""

    sampling: float
    production: float
    shadow: float

    @property
    def ratio(self) -> float:
        return self.shadow / self.production

    @property
    def p(self) -> float:
        return sample_ratio_p(
            shadow=round(self.shadow), production=max(1, round(self.production)), sampling=self.sampling
        )

    def strays(self, alpha: float) -> bool:
        return self.p < alpha and abs(self.ratio / self.sampling - 1) > HARMLESS_DEVIATION


def _levels(table: Table) -> list[_Level]:
    """Tell the samplings of the window apart; what was copied while one changed is not known, and no mismatch."""
    production, shadow = (table.column(variant, INVOCATIONS) for variant in VARIANTS)
    shares, used = table.shares, table.used
    found = []
    for share in sorted(set(shares[used & (shares > 0)].tolist())):
        at = used & (shares == share)
        found.append(
            _Level(sampling=share, production=float(production[at].sum()), shadow=float(shadow[at].sum()))
        )
    return found


def _copied(table: Table, levels: Sequence[_Level]) -> str:
    if not table.resamplings:
        return f"{percent(table.sampling)} are copied"
    told = ", ".join(f"{percent(level.sampling)} (it answered {percent(level.ratio)})" for level in levels)
    changing = int(np.isnan(table.shares[table.used]).sum())
    return f"the sampling was changed: {told or 'no period has one sampling'}; left out are {periods(changing)} of changing"


def min_sample(gate: MinSampleGate, table: Table, reading: Reading) -> Finding:
    """Pass only if each variant answered the planned number of requests; never FAIL."""
    used = table.used
    production, shadow = (float(table.column(v, INVOCATIONS)[used].sum()) for v in VARIANTS)
    least = min(production, shadow)
    facts = {
        "unit": "requests",
        "effect": least,
        "limit": float(gate.requests),
        "n": int(shadow),
        "periods": int(used.sum()),
        "dropped": int(len(table) - used.sum()),
    }
    words = f"production answered {count(production)} and the shadow {count(shadow)} requests"
    if least == 0:
        return reading.finding(gate, Outcome.NO_DATA, f"{words}; {count(gate.requests)} are needed", **facts)
    if least < gate.requests:
        return reading.finding(
            gate, Outcome.INCONCLUSIVE, f"{words}; each needs {count(gate.requests)}", **facts
        )
    return reading.finding(
        gate, Outcome.PASS, f"{words}, at least the {count(gate.requests)} needed", **facts
    )


def _longest_gap(used: np.ndarray) -> int:
    longest = run = 0
    for measured in used:
        run = 0 if measured else run + 1
        longest = max(longest, run)
    return longest
