"""The shadow scales while it is there, where production does; its target goes before it does."""

from __future__ import annotations

from include.aws import endpoints, scaling
from include.ledger.lease import Lease
from include.rollout.scaling import follows, resource_id, shadow_targets
from include.rollout.stage import Stage, shadow_variant
from include.steps.experiment import known_configs
from include.steps.rollout import Rollout


def scale_shadow(rollout: Rollout, lease: Lease) -> None:
    """Register the shadow as production is registered; again changes nothing."""
    if not follows(rollout.spec, rollout.baseline):
        return
    for found in shadow_targets(rollout.baseline):
        rollout.leases.check(lease)
        scaling.register(rollout.clients, found.target, found.policies)
        bounds = f"{found.target['MinCapacity']} to {found.target['MaxCapacity']} instances"
        rollout.headline(Stage.SHADOW)(
            f"the shadow scales as production does: {bounds}, by {len(found.policies)} policies"
        )


def unscale_shadow(rollout: Rollout, lease: Lease) -> None:
    """Deregister the shadow: SageMaker removes no variant that is a scalable target.

    Raises ForeignChangeError where somebody else changed the endpoint: a target there may be theirs by now.
    """
    baseline = rollout.baseline
    if not _is_registered(rollout):
        return
    state = endpoints.describe(rollout.clients, baseline.endpoint)
    endpoints.refuse_foreign(state, baseline.endpoint, known_configs(rollout, state))
    _deregister(rollout, lease)


def clear_target(rollout: Rollout, lease: Lease) -> list[str]:
    """Deregister a shadow that is gone, whoever took it away, and return what was deregistered."""
    baseline = rollout.baseline
    if not _is_registered(rollout):
        return []
    state = endpoints.describe(rollout.clients, baseline.endpoint)
    shadow = shadow_variant(baseline)
    if state is not None and shadow in {variant.name for variant in (*state.production, *state.shadow)}:
        return []
    _deregister(rollout, lease)
    return [resource_id(baseline, shadow)]


def _is_registered(rollout: Rollout) -> bool:
    baseline = rollout.baseline
    return follows(rollout.spec, baseline) and bool(
        scaling.targets(rollout.clients, baseline.endpoint, shadow_variant(baseline))
    )


def _deregister(rollout: Rollout, lease: Lease) -> None:
    for found in shadow_targets(rollout.baseline):
        rollout.leases.check(lease)
        scaling.deregister(rollout.clients, found.target)
    rollout.headline(Stage.BASELINE)("the shadow scales no more")
