"""Expectations that a spec asks of the predictions: from the gate to Great Expectations, and from its answer to a finding."""

from __future__ import annotations

from typing import Any

from include.gates.agreement import problems_of
from include.gates.reading import Reading
from include.gates.table import Table
from include.gates.wording import count, percent
from include.rollout.expectation import ExpectationGate
from include.rollout.gate import Finding, Outcome


def expectation(gate: ExpectationGate, table: Table, reading: Reading) -> Finding:
    """Pass only if the expectation was evaluated and held on enough predictions of the window's own requests.

    FAIL if it was evaluated on them and did not hold. It has no interval, so the reason says on how many predictions it
    rests. One that raised, too few or unmatched pairs, columns with holes and a shadow that gives one and the same
    answer are INCONCLUSIVE: an expectation on rows holds of none and passes over what is missing.
    """
    pairs = table.pairs
    drawn = None if pairs is None else pairs.predictions
    facts: dict[str, Any] = {"n": 0, "periods": 0 if pairs is None else len(pairs.periods)}
    if pairs is None or drawn is None or not drawn.rows:
        return reading.finding(
            gate, Outcome.NO_DATA, "no predictions of both variants were collected", **facts
        )
    columns, n = drawn.columns(), len(drawn.rows)
    facts["n"] = n
    answer = reading.answers.get(gate.name)
    facts["details"] = {
        "type": gate.type,
        "kwargs": dict(gate.kwargs),
        "drawn_from": drawn.total,
        "observed": None if answer is None else answer.observed,
    }
    asked = f"{gate.type} of {count(n)} predictions"
    if answer is None:
        return reading.finding(gate, Outcome.INCONCLUSIVE, f"{asked} was not evaluated", **facts)
    if answer.raised is not None:
        return reading.finding(
            gate, Outcome.INCONCLUSIVE, f"{asked} could not be evaluated: {answer.raised}", **facts
        )
    doubts = problems_of(pairs, table, gate.unmatched)
    if n / pairs.repetition < gate.least:
        doubts.append(f"they are worth {count(n / pairs.repetition)}, and {count(gate.least)} are needed")
    holes = {name: sum(value is None for value in values) / n for name, values in columns.items()}
    doubts += [
        f"{percent(share)} of column {name} could not be read"
        for name, share in holes.items()
        if share > gate.unmatched
    ]
    if len({row[2] for row in drawn.rows}) < 2:
        doubts.append("the shadow gave the same answer to every request")
    if not reading.is_final:
        doubts.append("the window was cut short before this gate was read")
    held = "holds" if answer.success else "does not hold"
    words = f"{asked} {held}{'' if answer.observed is None else f' (observed: {answer.observed})'}"
    if doubts:
        return reading.finding(gate, Outcome.INCONCLUSIVE, f"{words}, but {'; '.join(doubts)}", **facts)
    return reading.finding(
        gate, Outcome.PASS if answer.success else Outcome.FAIL, f"{words} (no interval)", **facts
    )
