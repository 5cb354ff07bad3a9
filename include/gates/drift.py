"""Whether the shadow's outputs are distributed as production's are, on the same requests."""

from __future__ import annotations

import math
from typing import Any

from include.gates.agreement import problems_of
from include.gates.columns import Shift, shifts, stuck
from include.gates.reading import Reading
from include.gates.table import Table
from include.gates.wording import count, percent, points
from include.rollout.columns import MOST_COLUMNS
from include.rollout.gate import DriftGate, Finding, Outcome
from include.rollout.pairs import Pairs
from include.stats.paired import Discordance, tango_limits

LEAST = 1000  # pairs' worth that an index or a distance without an interval rests on
_SHOWN = 5  # columns that a finding lists, the worst first


def drift(gate: DriftGate, table: Table, reading: Reading) -> Finding:
    """Pass only if the mean shift of every column is shown to lie within the limit, and every stated bound holds.

    The shift is paired, request by request, in standard deviations of production's outputs, and tested for equivalence
    by two one-sided tests (Schuirmann 1987): all columns must pass, so alpha is not shared. It fails when one column's
    interval lies beyond the limit, at alpha shared by all (Bonferroni). The share of positive decisions is compared by
    Tango's score limits (1998). Index and distance have no interval; their reason says so.
    """
    pairs, alpha = table.pairs, reading.alpha(gate)
    facts: dict[str, Any] = {
        "unit": "standard deviations of production's outputs",
        "limit": gate.mean,
        "alpha": alpha,
        "n": 0 if pairs is None else _measured(pairs),
        "periods": 0 if pairs is None else len(pairs.periods),
        "dropped": 0 if pairs is None else max(0, len(table) - len(pairs.periods)),
    }
    if pairs is None:
        return reading.finding(gate, Outcome.NO_DATA, "no captures of both variants were collected", **facts)
    if not facts["n"]:
        return reading.finding(
            gate, Outcome.NO_DATA, "no pair has a number or a label of both variants", **facts
        )
    doubts = problems_of(pairs, table, gate.unmatched)
    foreign = bool(doubts)  # what is left are not the window's requests, so nothing fails either
    lacking = pairs.all.n - facts["n"]
    if lacking > gate.unmatched * pairs.all.n:
        doubts.append(
            f"{count(lacking)} of {count(pairs.all.n)} pairs have no answer of both variants to compare"
        )
    if pairs.all.wild:
        doubts.append(f"{count(pairs.all.wild)} differences are out of range, so set pairs.unit")
    if pairs.columns.many:
        doubts.append(f"there are more than {MOST_COLUMNS} elements or labels, which were not told apart")
    doubts += stuck(pairs)
    if len(pairs.columns.labels) == 1:
        doubts.append("every answer is the same label, so there is nothing to measure a shift by")
    found = shifts(pairs, alpha=alpha)
    if not found:
        doubts = doubts or [f"{count(facts['n'])} pairs are too few"]
        return reading.finding(gate, Outcome.INCONCLUSIVE, "; ".join(doubts), **facts)
    worst = found[0]
    index = max((shift.index for shift in found), key=_known)
    distance = max((shift.distance for shift in found), key=_known)
    facts |= {"effect": worst.effect, "low": worst.low, "high": worst.high, "details": _details(pairs, found)}
    facts["details"] |= {"psi": index, "ks": distance}
    words = _words(gate, found, index, distance)
    broken = [
        f"the shift{_of(shift)} is beyond {gate.mean:g}"
        for shift in found
        if shift.sure_low > gate.mean or shift.sure_high < -gate.mean
    ][:_SHOWN]
    if not broken and not worst.reach < gate.mean:
        doubts.append(f"a shift{_of(worst)} beyond {gate.mean:g} cannot be excluded")
    _judge_bounds(gate, index, distance, facts["n"] / pairs.repetition, broken, doubts)
    if gate.positives is not None:
        _judge_positives(pairs, gate.positives, alpha, broken, doubts)
    if not reading.is_final:
        doubts.append("the window was cut short before this gate was read")
    if broken and not foreign and reading.is_final:
        return reading.finding(gate, Outcome.FAIL, f"{words}; {'; '.join(broken)}", **facts)
    if doubts or broken:
        return reading.finding(
            gate, Outcome.INCONCLUSIVE, f"{words}, but {'; '.join([*broken, *doubts])}", **facts
        )
    return reading.finding(
        gate, Outcome.PASS, f"{words}, which holds with {percent(1 - alpha)} confidence", **facts
    )


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


def _measured(pairs: Pairs) -> int:
    """Count the pairs with a number, or a label, of both variants."""
    return pairs.shift.n or sum(label.production for label in pairs.columns.labels.values())


def _words(gate: DriftGate, found: list[Shift], index: float, distance: float) -> str:
    worst = found[0]
    among = f" (the furthest of {len(found)} columns)" if len(found) > 1 else ""
    whose = f"the shadow's {worst.name}{among} lies" if worst.name else "the shadow's outputs lie"
    ks = "" if math.isnan(distance) else f", Kolmogorov-Smirnov distance {distance:.3g}"
    return (
        f"{whose} {worst.effect:+.3g} standard deviations from production's (between {worst.low:+.3g} and "
        f"{worst.high:+.3g}), and up to {gate.mean:g} either way is allowed; stability index {index:.3g}{ks}"
    )


def _of(shift: Shift) -> str:
    return f" of {shift.name}" if shift.name else ""


def _known(value: float) -> float:
    return -math.inf if math.isnan(value) else value


def _details(pairs: Pairs, found: list[Shift]) -> dict[str, Any]:
    """Return the worst column's own numbers, and the shifts of the worst few."""
    worst = found[0]
    told: dict[str, Any] = {**worst.details, "sd": worst.sd, "repetition": pairs.repetition}
    if worst.name:
        told["columns"] = [
            {
                "column": shift.name,
                "effect": shift.effect,
                "low": shift.low,
                "high": shift.high,
                "psi": shift.index,
                "ks": shift.distance,
            }
            for shift in found[:_SHOWN]
        ]
    return told
