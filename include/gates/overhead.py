"""SageMaker's own time per request of the shadow, against a fixed limit."""

from __future__ import annotations

from typing import Any

import numpy as np

from include.gates.reading import Reading
from include.gates.saturation import COVERED
from include.gates.table import INVOCATIONS, Table
from include.gates.wording import count, milliseconds, percent, periods
from include.rollout.gate import Finding, Outcome
from include.rollout.operating import OverheadGate
from include.stats.level import level_limits


def overhead(gate: OverheadGate, table: Table, reading: Reading) -> Finding:
    """Pass only if the upper limit of the mean over periods of OverheadLatency's percentile is below the limit.

    One-sided t limits of block means; FAIL if the lower one is above the limit. Sparse measurements show neither.
    """
    name, alpha = f"overhead_{gate.quantile}", reading.alpha(gate)
    values = table.column("shadow", name)
    used = table.used & np.isfinite(values)
    facts: dict[str, Any] = {
        "unit": "milliseconds",
        "limit": gate.limit_ms,
        "alpha": alpha,
        "n": int(table.column("shadow", INVOCATIONS)[used].sum()),
        "periods": int(used.sum()),
        "dropped": int(len(table) - used.sum()),
    }
    if not used.any():
        return reading.finding(
            gate, Outcome.NO_DATA, f"CloudWatch has no OverheadLatency {gate.quantile} of the shadow", **facts
        )
    mean = float(values[used].mean())
    beside = table.column("production", name)[used]
    facts |= {
        "effect": mean / 1000,
        "details": {
            "estimand": f"mean over periods of {table.period} s of OverheadLatency's {gate.quantile}",
            "production_ms": float(beside.mean()) / 1000 if np.isfinite(beside).all() else None,
        },
    }
    words = f"SageMaker adds {milliseconds(mean)} to the shadow's {gate.quantile}"
    allowed = f"at most {milliseconds(1000 * gate.limit_ms)} is allowed"
    block = max(1, round(gate.block / table.period))
    doubts = []
    if used.sum() < COVERED * len(table):
        doubts.append(f"it was measured in {count(used.sum())} of {periods(len(table))} only")
    if np.ptp(values[used]) == 0:
        doubts.append("it is the same in every period: the store is too coarse, or the measurement is stuck")
    if not reading.is_final:
        doubts.append("the window was cut short before this gate was read")
    if used.sum() < 2 * block:
        doubts.append(f"{periods(int(used.sum()))} make fewer than two blocks of {block}")
    else:
        level = level_limits(values[used] / 1000, alpha=alpha, block=block)
        facts |= {"low": level.lower, "high": level.upper}
        words += f" (between {level.lower:.3g} and {level.upper:.3g} ms)"
        if not doubts and level.lower > gate.limit_ms:
            return reading.finding(gate, Outcome.FAIL, f"{words}; {allowed}", **facts)
        if not level.upper < gate.limit_ms:
            doubts.append(f"more cannot be excluded with {percent(1 - alpha)} confidence")
    if doubts:
        return reading.finding(
            gate, Outcome.INCONCLUSIVE, f"{words}; {allowed}, but {'; '.join(doubts)}", **facts
        )
    return reading.finding(
        gate, Outcome.PASS, f"{words}; {allowed}, which holds with {percent(1 - alpha)} confidence", **facts
    )
