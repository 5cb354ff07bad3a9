"""The one way back: the endpoint as it was before the rollout."""

from __future__ import annotations

from include.aws import endpoints
from include.ledger.lease import Lease
from include.ledger.objects import Kind, deployment_key
from include.rollout.errors import TerminalError
from include.rollout.stage import Stage
from include.rollout.verdict import Action
from include.steps.decide import refused_by_approval
from include.steps.experiment import stop
from include.steps.reach import reach
from include.steps.rollout import Rollout, Wait
from include.steps.scaling import scale_production, unscale_shadow
from include.steps.watch import taken_back

_TRIES = 3


def restore(rollout: Rollout, lease: Lease, wait: Wait | None = None) -> Wait | None:
    """Bring the endpoint back to its original config, with instance counts as they are now and the weight it had."""
    unscale_shadow(rollout, lease)
    pending = stop(rollout, lease, wait)
    if pending is not None:
        return pending
    pending = reach(rollout, Stage.BASELINE, lease, wait, tries=_TRIES)
    if pending is not None:
        return pending
    baseline = rollout.baseline
    state = endpoints.describe(rollout.clients, baseline.endpoint)
    live = next((v for v in state.production if v.name == baseline.variant), None) if state else None
    if live is not None and live.weight != baseline.weight:
        rollout.leases.check(lease)
        endpoints.set_weight(rollout.clients, baseline.endpoint, baseline.variant, baseline.weight)
    scale_production(rollout, lease)
    rollout.write(deployment_key(Stage.BASELINE), {"config": baseline.config_name})
    rollout.headline("BASELINE")(
        f"endpoint {baseline.endpoint} serves {baseline.config_name}, as before the rollout"
    )
    return None


def roll_back(rollout: Rollout, wait: Wait | None = None) -> Wait | None:
    """Carry out the decision to roll back, or to take a promotion back, and say so in the ledger."""
    rollout.refuse_if_over()
    decision = rollout.ledger.require(Kind.DECISION)
    undone = refused_by_approval(rollout) is not None or taken_back(rollout) is not None
    if decision["action"] == Action.PROMOTE and not undone:
        raise TerminalError(
            f"the decision of rollout {rollout.id} is to promote, and nobody took that back; it is not rolled back."
        )
    pending = restore(rollout, rollout.lease(), wait)
    if pending is None:
        rollout.write(Kind.RESTORE, {"config": rollout.baseline.config_name})
    return pending


def withdraw(rollout: Rollout, wait: Wait | None = None) -> Wait | None:
    """Take the shadow away before a person is asked: an approval may take days, and its instances cost all the while.

    The lease stays ours, so what the person agrees to is still what is promoted. `promotion.keep_shadow` leaves it.
    """
    rollout.refuse_if_over()
    if rollout.spec.promotion.keep_shadow:
        return None
    rollout.headline("approve")("taking the shadow away while a person is asked")
    return restore(rollout, rollout.lease(), wait)
