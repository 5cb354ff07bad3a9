"""Whether the shadow's instances have room left: what they use of a resource, of its limit and against production's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from include.gates.reading import Reading
from include.gates.table import INVOCATIONS, VARIANTS, Floats, Table
from include.gates.wording import between, count, percent, periods, times
from include.rollout.fleet import Fleet
from include.rollout.gate import Finding, Outcome
from include.rollout.operating import SaturationGate
from include.stats.level import Level, least_growth, level_limits
from include.stats.noninferiority import LogRatio, log_ratio_limits

COVERED = 0.95  # share of the window's periods that must have been measured
LATEST = 10  # periods of which half must lie above the limit before it counts as broken
DAY = 86400  # seconds for which a growth is carried on
_BUSY = ("CPUUtilization", "GPUUtilization")  # follow the requests that an instance gets
_LEAKING = ("MemoryUtilization", "DiskUtilization")
_STEADY = ("DiskUtilization", "GPUMemoryUtilization")  # may well not change for an hour


@dataclass(frozen=True, slots=True, kw_only=True)
class _Use:
    """What the shadow's instances used in the periods in which both variants answered and it was measured."""

    highest: (
        Floats  # per cent of an instance, of the busiest one in each period, at `load` times its requests
    )
    average: Floats  # of all instances, likewise
    used: np.ndarray
    load: float  # how many times its own requests an instance would get once promoted, at least 1


def saturation(gate: SaturationGate, table: Table, reading: Reading) -> Finding:
    """Pass only if the upper limit of the mean of the periods' highest use is below `limit`, peaks and growth included.

    CPU and GPUs are read in CloudWatch's per cent of one core or GPU, told in per cent of the instance, and carried on
    in proportion to the requests that an instance would get once promoted; memory and disk are taken as they are. Fail
    only if the lower limit of what was measured is above the limit and half of the last periods were. Sparse
    measurements, a series that never changes, peaks (p95) above the limit, and memory or disk that will be full within
    a day if they go on growing are INCONCLUSIVE.
    """
    facts: dict[str, Any] = {
        "unit": "percent of an instance",
        "limit": gate.limit,
        "alpha": reading.alpha(gate),
    }
    found = _series(gate, table)
    if not found.any():
        only = "; it is published for instances with a GPU alone" if gate.metric.startswith("GPU") else ""
        return reading.finding(
            gate,
            Outcome.NO_DATA,
            f"CloudWatch has no {gate.metric} of the shadow in the window{only}",
            **facts,
        )
    facts |= {
        "n": int(table.column("shadow", INVOCATIONS)[found].sum()),
        "periods": int(found.sum()),
        "dropped": int(len(table) - found.sum()),
    }
    units = {role: _units(gate, table.fleets.get(role)) for role in VARIANTS}
    if units["shadow"] is None:
        fleet = table.fleets.get("shadow")
        where = "the shadow's instances" if fleet is None else fleet.instance_type
        what = "GPUs" if gate.metric.startswith("GPU") else "vCPUs"
        return reading.finding(
            gate,
            Outcome.INCONCLUSIVE,
            f"how many {what} {where} has is not known, and {gate.metric} counts each as 100 %",
            **facts,
        )
    use = _use(gate, table, found, units["shadow"])
    block = max(1, round(gate.block / table.period))
    peak = float(np.quantile(use.highest, 0.95, method="higher"))
    facts |= {"effect": float(use.highest.mean())}
    facts["details"] = {
        "peak": peak,
        "average": float(use.average.mean()),
        "load": use.load,
        "cores": units["shadow"],
        "fleets": {role: fleet.to_document() for role, fleet in table.fleets.items()},
    }
    doubts = _doubts(gate, table, use, block)
    broken: list[str] = []
    level: Level | None = None
    if use.highest.size >= 2 * block:
        level = level_limits(use.highest, alpha=reading.alpha(gate), block=block)
        facts |= {"low": level.lower, "high": level.upper}
        latest = use.highest[-LATEST:] / use.load
        if level.lower / use.load > gate.limit and 2 * (latest > gate.limit).sum() >= latest.size:
            broken.append("it is above the limit in most periods")
        doubts += _too_much(gate, table, use, level, peak, block, reading.alpha(gate))
    words = _words(gate, use, level)
    against = _against_production(gate, table, use, units["production"], block, reading.alpha(gate))
    if isinstance(against, str):
        doubts += [against] if gate.margin is not None else []
    else:
        low, high = against.ratio_limits
        facts["details"]["ratio"] = {"mean": against.ratio, "low": low, "high": high}
        words += f", {times(against.ratio)} production's ({between(low, high)})"
        if gate.margin is not None and low > 1 + gate.margin:
            broken.append(f"at most {times(1 + gate.margin)} production's is allowed")
        elif gate.margin is not None and not high < 1 + gate.margin:
            doubts.append(f"more than {times(1 + gate.margin)} production's cannot be excluded")
    if not reading.is_final:
        doubts.append("the window was cut short before this gate was read")
    if broken and reading.is_final and found.sum() >= COVERED * len(table):
        return reading.finding(gate, Outcome.FAIL, f"{words}; {'; '.join(broken)}", **facts)
    if broken or doubts:
        return reading.finding(
            gate, Outcome.INCONCLUSIVE, f"{words}, but {'; '.join([*broken, *doubts])}", **facts
        )
    return reading.finding(
        gate,
        Outcome.PASS,
        f"{words}, which holds with {percent(1 - reading.alpha(gate))} confidence",
        **facts,
    )


def _series(gate: SaturationGate, table: Table) -> np.ndarray:
    """Mark the periods in which both variants answered and the shadow's use was measured."""
    highest, average = (
        table.column("shadow", f"utilization_{gate.metric}.{s}") for s in ("maximum", "average")
    )
    return np.asarray(table.used & np.isfinite(highest) & np.isfinite(average))


def _units(gate: SaturationGate, fleet: Fleet | None) -> int | None:
    """Return how many times 100 % of the metric an instance has; None where that is not known."""
    if gate.metric == "CPUUtilization":
        return None if fleet is None else fleet.vcpus
    if gate.metric.startswith("GPU"):
        return None if fleet is None else fleet.gpus
    return 1


def _use(gate: SaturationGate, table: Table, used: np.ndarray, units: int) -> _Use:
    load = _load(table, used) if gate.metric in _BUSY else 1.0
    highest, average = (
        table.column("shadow", f"utilization_{gate.metric}.{s}")[used] / units * load
        for s in ("maximum", "average")
    )
    return _Use(highest=highest, average=average, used=used, load=load)


def _load(table: Table, used: np.ndarray) -> float:
    """Return how many times its own requests an instance of the shadow's would get once promoted, at least once.

    All requests that production answered, on the instances that promotion leaves.
    """
    all_of_them, copied = (float(table.column(v, INVOCATIONS)[used].sum()) for v in VARIANTS)
    now, then = table.fleets.get("shadow"), table.fleets.get("promoted")
    share = now.count / then.count if now is not None and then is not None else 1.0
    return max(1.0, all_of_them / copied * share)


def _doubts(gate: SaturationGate, table: Table, use: _Use, block: int) -> list[str]:
    """Say why the measurements cannot carry a conclusion at all."""
    doubts = []
    measured = int(use.used.sum())
    if measured < COVERED * len(table):
        doubts.append(f"it was measured in {count(measured)} of {periods(len(table))} only")
    if measured < 2 * block:
        doubts.append(f"{periods(measured)} make fewer than two blocks of {block}, too few for an interval")
    if gate.metric not in _STEADY and np.ptp(use.highest) == 0:
        doubts.append("it is the same in every period: the measurement is stuck, or nothing ran")
    return doubts


def _too_much(
    gate: SaturationGate, table: Table, use: _Use, level: Level, peak: float, block: int, alpha: float
) -> list[str]:
    doubts = []
    if not level.upper < gate.limit:
        doubts.append(f"up to {level.upper:.3g} % cannot be excluded with {percent(1 - alpha)} confidence")
    if peak > gate.limit:
        doubts.append(f"its peaks (p95 of the periods' highest) reach {peak:.3g} %")
    growth = least_growth(use.average, alpha=alpha, block=block) if gate.metric in _LEAKING else None
    if growth is not None and growth > 0:
        hourly, ahead = growth * 3600 / table.period, level.mean + growth * DAY / table.period
        if ahead > gate.limit:
            doubts.append(
                f"it grows by {hourly:.3g} points an hour or more, which reaches the limit in a day"
            )
    return doubts


def _words(gate: SaturationGate, use: _Use, level: Level | None) -> str:
    within = "" if level is None else f" (between {level.lower:.3g} and {level.upper:.3g} %)"
    carried = f" at the {use.load:.2f} times as many requests it would get" if use.load > 1.005 else ""
    return (
        f"the shadow's {gate.metric} is {use.highest.mean():.3g} % of an instance{within}{carried}, and at most "
        f"{gate.limit:g} % is allowed"
    )


def _against_production(
    gate: SaturationGate, table: Table, use: _Use, units: int | None, block: int, alpha: float
) -> LogRatio | str:
    """Return the limits of the ratio of the average uses, or why there are none."""
    own = table.column("production", f"utilization_{gate.metric}.average")[use.used]
    if units is None or not (np.isfinite(own) & (own > 0) & (use.average > 0)).all():
        return f"{gate.metric} of production was not measured in the same periods"
    if own.size < 2 * block:
        return "there are too few blocks to compare with production"
    return log_ratio_limits(use.average, own / units, alpha=alpha, block=block)
