"""What the shadow costs, and when that is too much."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from include.aws import prices
from include.ledger.objects import Kind, deployment_key
from include.rollout.baseline import Baseline
from include.rollout.names import moment
from include.rollout.scaling import most_instances
from include.rollout.spec import RolloutSpec
from include.rollout.stage import Stage, shadow_count
from include.steps.rollout import Rollout


def price_of(spec: RolloutSpec, kind: str) -> float | None:
    """Return USD per hour of one instance, the spec's own price before the list's; None where neither has the type."""
    own = spec.budget.prices.get(kind) if spec.budget is not None else None
    return own if own is not None else prices.hourly(kind)


def shadow_price(spec: RolloutSpec, baseline: Baseline) -> float | None:
    """Return USD per hour of all shadow instances, or None where the price of their type is not known.

    A shadow that scales counts with as many as it may come to have, so that it never costs more than is said.
    """
    kind = spec.candidate.instance_type or str(baseline.production.get("InstanceType", ""))
    each = price_of(spec, kind)
    return None if each is None else each * most_instances(spec, baseline, shadow_count(spec, baseline))


def planned_cost(spec: RolloutSpec, baseline: Baseline) -> str:
    """Say what the shadow will cost, up to the window's planned end and to its maximum."""
    price = shadow_price(spec, baseline)
    if price is None:
        return "the price of the shadow's instances is not in the list; name it in budget.prices"
    planned, most = (price * _hours(spec, length) for length in (spec.window.length, spec.window.maximum))
    return f"the shadow costs about {price:.3g} USD an hour: {planned:.2f} USD, at most {most:.2f}"


def refusal(spec: RolloutSpec, baseline: Baseline) -> str | None:
    """Say why the budget cannot do, or None: the price must be known, and the planned window within the limit."""
    if spec.budget is None:
        return None
    price = shadow_price(spec, baseline)
    if price is None:
        kind = spec.candidate.instance_type or baseline.production.get("InstanceType")
        return (
            f"budget.limit is {spec.budget.limit:g} USD and the price of {kind} is not known; "
            "give its USD per hour in budget.prices."
        )
    planned = price * _hours(spec, spec.window.length)
    if planned > spec.budget.limit:
        return (
            f"budget.limit is {spec.budget.limit:g} USD and the shadow costs about {planned:.2f} USD until the window's "
            "planned end; raise the limit, or take a shorter window, fewer or smaller instances."
        )
    return None


def cost(rollout: Rollout, now: datetime) -> dict[str, Any] | None:
    """Return what the shadow has cost from its deployment until it was taken away; None without a shadow or a price."""
    deployed = rollout.ledger.read(deployment_key(Stage.SHADOW))
    price = shadow_price(rollout.spec, rollout.baseline)
    if deployed is None or price is None:
        return None
    gone = rollout.ledger.read(deployment_key(Stage.BASELINE))
    until = moment(gone["written_at"]) if gone is not None else now
    hours = max(0.0, (until - moment(deployed["written_at"])).total_seconds() / 3600)
    return {"usd": round(price * hours, 4), "hours": round(hours, 4), "usd_per_hour": price}


def overspent(rollout: Rollout, now: datetime) -> str | None:
    """Say that the budget is spent, or None while it is not."""
    budget = rollout.spec.budget
    spent = cost(rollout, now) if budget is not None else None
    if budget is None or spent is None or spent["usd"] < budget.limit:
        return None
    return (
        f"the shadow has cost {spent['usd']:.2f} USD and budget.limit is {budget.limit:g}; closing the window"
    )


def note_cost(rollout: Rollout) -> None:
    """Write what the shadow cost, once, as far as its price is known."""
    spent = cost(rollout, rollout.now())
    if spent is not None:
        rollout.write(Kind.COST, spent)


def _hours(spec: RolloutSpec, length: int) -> float:
    return (spec.window.warm_up + length + spec.window.lag) / 3600
