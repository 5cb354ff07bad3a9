"""The shadow scales while it is there, where production does; a variant's target goes before the variant does."""

from __future__ import annotations

from include.aws import endpoints, scaling
from include.ledger.lease import Lease
from include.ledger.objects import begun_key
from include.rollout.promotion import Promoter
from include.rollout.scaling import follows, resource_id, targets_of
from include.rollout.stage import Stage, shadow_variant
from include.steps.experiment import known_configs
from include.steps.rollout import Rollout


def scale_shadow(rollout: Rollout, lease: Lease) -> None:
    """Register the shadow as production is registered; again changes nothing."""
    if follows(rollout.spec, rollout.baseline):
        _register(rollout, lease, shadow_variant(rollout.baseline), Stage.SHADOW)


def unscale_shadow(rollout: Rollout, lease: Lease) -> None:
    """Deregister the shadow: SageMaker removes no variant that is a scalable target.

    Raises ForeignChangeError where somebody else changed the endpoint: a target there may be theirs by now.
    """
    baseline = rollout.baseline
    if not _is_registered(rollout):
        return
    state = endpoints.describe(rollout.clients, baseline.endpoint)
    endpoints.refuse_foreign(state, baseline.endpoint, known_configs(rollout, state))
    _deregister(rollout, lease, shadow_variant(baseline), Stage.BASELINE)


def unscale_production(rollout: Rollout, lease: Lease) -> None:
    """Deregister production before SageMaker's own Promote removes it; the shadow has a target of its own by then."""
    baseline = rollout.baseline
    if scaling.targets(rollout.clients, baseline.endpoint, baseline.variant):
        _deregister(rollout, lease, baseline.variant, Stage.PROMOTED)


def scale_production(rollout: Rollout, lease: Lease) -> None:
    """Register production as it was, on the way back from SageMaker's own Promote; again changes nothing."""
    baseline = rollout.baseline
    if rollout.spec.promotion.by is not Promoter.SAGEMAKER or not baseline.scaling:
        return
    if rollout.ledger.read(begun_key(Stage.PROMOTED)) is not None:
        _register(rollout, lease, baseline.variant, Stage.BASELINE)


def clear_targets(rollout: Rollout, lease: Lease) -> list[str]:
    """Make right what is registered where somebody else changed the endpoint, and return what was deregistered.

    A shadow that is gone is deregistered, and a production that is still there, and whose target went, has it again.
    """
    baseline, shadow = rollout.baseline, shadow_variant(rollout.baseline)
    state = endpoints.describe(rollout.clients, baseline.endpoint)
    there = {variant.name for variant in (*state.production, *state.shadow)} if state is not None else set()
    if baseline.variant in there:
        scale_production(rollout, lease)
    if shadow in there or not _is_registered(rollout):
        return []
    _deregister(rollout, lease, shadow, Stage.BASELINE)
    return [resource_id(baseline, shadow)]


def _is_registered(rollout: Rollout) -> bool:
    baseline = rollout.baseline
    return follows(rollout.spec, baseline) and bool(
        scaling.targets(rollout.clients, baseline.endpoint, shadow_variant(baseline))
    )


def _register(rollout: Rollout, lease: Lease, variant: str, stage: Stage) -> None:
    for found in targets_of(rollout.baseline, variant):
        rollout.leases.check(lease)
        scaling.register(rollout.clients, found.target, found.policies)
        rollout.headline(stage)(f"variant {variant} scales {found.words}")


def _deregister(rollout: Rollout, lease: Lease, variant: str, stage: Stage) -> None:
    for found in targets_of(rollout.baseline, variant):
        rollout.leases.check(lease)
        scaling.deregister(rollout.clients, found.target)
    rollout.headline(stage)(f"variant {variant} scales no more")
