"""Promote the candidate: under production's own variant name, in two steps, or by SageMaker's own Promote."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from include.aws import endpoints
from include.aws.alarms import ensure as ensure_alarm
from include.ledger.lease import Lease
from include.ledger.objects import Kind, asked_key, begun_key, reverted_key
from include.rollout.errors import TerminalError
from include.rollout.guardrail import alarms
from include.rollout.promotion import Promoter
from include.rollout.stage import Stage, promoted_variant
from include.rollout.verdict import Action
from include.steps.decide import needs_approval, refused_by_approval
from include.steps.experiment import hand_over, promoted_config
from include.steps.hold import PHASE, called_off, hold
from include.steps.reach import reach, refuse_restored
from include.steps.restore import restore
from include.steps.rollout import Rollout, Wait
from include.steps.scaling import unscale_production
from include.steps.watch import taken_back


def promote(rollout: Rollout, wait: Wait | None = None) -> Wait | None:
    """Carry out the decision to promote: take the shadow away first, then move production to the candidate.

    The promoting config keeps production's variant name, which guardrails, alarms, dashboards and scaling policies
    key on, and it never has a shadow in it: whether AWS shifts traffic gradually beside a shadow is not documented.
    Where the spec has promotion windows, the endpoint waits for one as it was before the rollout.
    With promotion.by sagemaker the managed test promotes in one update instead, under the shadow's name.
    Where guardrails take the promotion back, that is noted, and the rollout ends as rolled back. Raises
    ForeignChangeError too where somebody else has put the endpoint back already: they did not mean it to be promoted.
    """
    rollout.refuse_if_over()
    decision = rollout.ledger.require(Kind.DECISION)
    if decision["action"] != Action.PROMOTE:
        raise TerminalError(
            f"the decision of rollout {rollout.id} is {decision['action']}; only a decision to promote promotes."
        )
    refusal = refused_by_approval(rollout)
    if refusal is not None:
        raise TerminalError(f"{refusal['who']} refused to promote rollout {rollout.id}; it is rolled back.")
    if needs_approval(rollout) and rollout.ledger.read(Kind.APPROVAL) is None:
        raise TerminalError(
            f"rollout {rollout.id} needs a person's approval and nobody answered; answer in Required Actions, for a task "
            "`approve` that was only marked a success approves nothing."
        )
    if taken_back(rollout) is not None:
        return None  # a promotion that was taken back is never made again
    lease = rollout.lease()
    candidate = rollout.ledger.require(Kind.CANDIDATE)["model"]
    if rollout.spec.promotion.by is Promoter.SAGEMAKER:
        prepare = partial(unscale_production, rollout, lease)
        pending = hand_over(rollout, lease, wait, candidate=candidate, prepare=prepare)
    else:
        pending = _update(rollout, lease, wait, candidate)
    if pending is None and taken_back(rollout) is None:
        rollout.write(Kind.PROMOTION, {"config": promoted_config(rollout), "model": candidate})
        variant = promoted_variant(rollout.spec, rollout.baseline)
        rollout.headline(Stage.PROMOTED)(f"{variant} serves model {candidate}")
    return pending


def _update(rollout: Rollout, lease: Lease, wait: Wait | None, candidate: str) -> Wait | None:
    """Restore the baseline, then move production to the candidate; None once it serves, or the guardrails took it back."""
    if wait is not None and wait.phase == PHASE:
        wait = None  # somebody may have changed the endpoint meanwhile
    if wait is None or wait.phase == Stage.BASELINE:
        if called_off(rollout):
            return None
        if not _promoting(rollout):
            state = endpoints.describe(rollout.clients, rollout.baseline.endpoint)
            if state is not None:
                refuse_restored(rollout, state)
            pending = restore(rollout, lease, wait)
            pending = pending or hold(rollout)
            if pending is not None:
                return pending
        wait = None
    guardrails = rollout.spec.promotion.guardrails
    if guardrails is not None and _reverted(rollout, wait):
        return None
    if wait is None:
        for alarm in alarms(rollout.spec, rollout.baseline, rollout.id):
            rollout.leases.check(lease)
            ensure_alarm(rollout.clients, alarm, rollout.tags)
    pending = reach(rollout, Stage.PROMOTED, lease, wait, candidate=candidate, guardrails=guardrails)
    return None if pending is None else replace(pending, phase=Stage.PROMOTED.value)


def _reverted(rollout: Rollout, wait: Wait | None) -> bool:
    """Say, and note, whether SageMaker took the promotion back: the endpoint is InService on the config before it.

    That it once took the update up is known from the wait or, to a task that was cleared, from the ledger.
    """
    tried = wait is not None and wait.attempts > 0
    if not tried and rollout.ledger.read(asked_key(Stage.PROMOTED)) is None:
        return False
    baseline = rollout.baseline
    state = endpoints.describe(rollout.clients, baseline.endpoint)
    if state is None or not state.in_service or state.config != baseline.config_name:
        return False
    reason = state.failure or "SageMaker gave no reason"
    rollout.write(reverted_key(), {"config": state.config, "reason": reason})
    rollout.headline("PROMOTED")(f"the guardrails took the promotion back: {reason}")
    return True


def _promoting(rollout: Rollout) -> bool:
    return rollout.ledger.read(begun_key(Stage.PROMOTED)) is not None
