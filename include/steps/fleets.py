"""The fleets of a rollout: what serves each variant while both are there, and what would serve once promoted."""

from __future__ import annotations

from typing import Any

from include.aws import endpoints
from include.rollout.fleet import Fleet
from include.rollout.operating import CostGate, SaturationGate
from include.rollout.spec import RolloutSpec
from include.steps.budget import price_of
from include.steps.rollout import Rollout


def fleets_of(rollout: Rollout) -> dict[str, Fleet]:
    """Return the fleets as the endpoint has them now, or none where no gate asks or the shadow is gone.

    Instances are counted as they run, not as the config began: production may have been scaled meanwhile. Raises
    CloudError where the endpoint cannot be described.
    """
    spec, variants = rollout.spec, rollout.variants
    if not any(isinstance(gate, SaturationGate | CostGate) for gate in spec.gates.rules):
        return {}
    state = endpoints.describe(rollout.clients, variants.endpoint)
    config = None if state is None else endpoints.describe_config(rollout.clients, state.config)
    if state is None or config is None:
        return {}
    counts = {variant.name: variant.instance_count for variant in (*state.production, *state.shadow)}
    described: dict[str, dict[str, Any]] = {
        variant["VariantName"]: variant
        for group in ("ProductionVariants", "ShadowProductionVariants")
        for variant in config.get(group, ())
    }
    found = {
        role: _fleet(spec, described[name], counts[name])
        for role, name in (("production", variants.production), ("shadow", variants.shadow))
        if counts.get(name) and name in described
    }
    if len(found) == 2:
        found["promoted"] = promoted(spec, found["production"], found["shadow"])
    return found


def promoted(spec: RolloutSpec, production: Fleet, shadow: Fleet) -> Fleet:
    """Return the fleet that promotion would leave; never fewer instances than production has."""
    kind, count = spec.promotion.instances(
        (production.instance_type, production.count), (shadow.instance_type, shadow.count)
    )
    return Fleet(instance_type=kind, count=count, usd_per_hour=price_of(spec, kind))


def _fleet(spec: RolloutSpec, variant: dict[str, Any], count: int) -> Fleet:
    kind = str(variant.get("InstanceType", ""))
    return Fleet(instance_type=kind, count=count, usd_per_hour=price_of(spec, kind))
