"""Whether there is enough evidence, and of the right traffic, to judge anything at all."""

from __future__ import annotations

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
    p = sample_ratio_p(shadow=round(shadow), production=max(1, round(production)), sampling=table.sampling)
    mismatch = p < gate.sample_ratio_alpha and abs(ratio / table.sampling - 1) > HARMLESS_DEVIATION
    details |= {"longest_gap": gap, "ratio": ratio, "sampling": table.sampling, "ratio_p": p}
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
    if mismatch:
        problems.append(
            f"the shadow answered {count(shadow)} of production's {count(production)} requests, "
            f"{percent(ratio)} where {percent(table.sampling)} are copied (p = {p:.2g}): "
            "it did not see the same traffic"
        )
    if problems:
        return reading.finding(
            gate, Outcome.INCONCLUSIVE, "; ".join(problems), effect=share, details=details, **facts
        )
    return reading.finding(
        gate,
        Outcome.PASS,
        f"both variants were measured in {count(used.sum())} of {periods(len(table))}, and the shadow answered "
        f"{percent(ratio)} of the requests where {percent(table.sampling)} are copied",
        effect=share,
        details=details,
        **facts,
    )


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
