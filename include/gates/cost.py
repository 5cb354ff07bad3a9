"""What the candidate's instances cost: against production's, and per million requests."""

from __future__ import annotations

from typing import Any

from include.gates.reading import Reading
from include.gates.table import INVOCATIONS, VARIANTS, Table
from include.gates.wording import count, times
from include.rollout.gate import Finding, Outcome
from include.rollout.operating import CostGate

_LEAST = 2  # periods with requests that a rate is read from


def cost(gate: CostGate, table: Table, reading: Reading) -> Finding:
    """Pass only if every limit that is given holds; prices have no interval, and the reason says what they rest on.

    The price is that of the shadow's instances per hour, on demand. A million requests are priced at the rate that
    production answers, which all are the candidate's once it is promoted. FAIL if a limit does not hold.
    """
    used = table.used
    requests = float(table.column("production", INVOCATIONS)[used].sum())
    facts: dict[str, Any] = {
        "unit": "ratio to production's price" if gate.ratio is not None else "USD per million requests",
        "limit": gate.ratio if gate.ratio is not None else gate.per_million,
        "n": int(table.column("shadow", INVOCATIONS)[used].sum()),
        "periods": int(used.sum()),
        "dropped": int(len(table) - used.sum()),
    }
    if not used.any():
        return reading.finding(gate, Outcome.NO_DATA, "no period has requests of both variants", **facts)
    fleets = {role: table.fleets.get(role) for role in VARIANTS}
    prices = {role: None if fleet is None else fleet.price for role, fleet in fleets.items()}
    production, shadow = prices["production"], prices["shadow"]
    if production is None or shadow is None or production <= 0:
        unknown = sorted({fleet.instance_type for fleet in fleets.values() if fleet and not fleet.price})
        return reading.finding(
            gate,
            Outcome.NO_DATA,
            f"the price of {', '.join(unknown)} is not known; give its USD per hour in budget.prices"
            if unknown
            else "which instances served the variants was not recorded",
            **facts,
        )
    hourly = requests / (used.sum() * table.period) * 3600
    million = {role: 1e6 * price / hourly for role, price in (("production", production), ("shadow", shadow))}
    ratio = shadow / production
    facts["effect"] = ratio if gate.ratio is not None else million["shadow"]
    facts["details"] = {
        "usd_per_hour": prices,
        "usd_per_million": million,
        "requests_per_second": hourly / 3600,
        "fleets": {role: fleet.to_document() for role, fleet in fleets.items() if fleet is not None},
    }
    words = (
        f"the candidate's instances cost {shadow:.4g} USD an hour, {times(ratio)} production's {production:.4g}, and "
        f"{million['shadow']:.4g} USD per million requests at {hourly / 3600:.3g} requests/s"
    )
    broken = []
    if gate.ratio is not None and ratio > gate.ratio:
        broken.append(f"at most {times(gate.ratio)} production's price is allowed")
    if gate.per_million is not None and million["shadow"] > gate.per_million:
        broken.append(f"at most {gate.per_million:.4g} USD per million requests is allowed")
    doubts = [] if reading.is_final else ["the window was cut short before this gate was read"]
    if used.sum() < _LEAST:
        doubts.append(f"a rate needs {count(_LEAST)} periods with requests")
    if doubts:
        return reading.finding(
            gate, Outcome.INCONCLUSIVE, f"{words}, but {'; '.join([*broken, *doubts])}", **facts
        )
    if broken:
        return reading.finding(gate, Outcome.FAIL, f"{words}; {'; '.join(broken)}", **facts)
    return reading.finding(gate, Outcome.PASS, f"{words}, within what is allowed (no interval)", **facts)
