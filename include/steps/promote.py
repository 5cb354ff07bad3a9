"""Promote the candidate under production's own variant name, in two steps."""

from __future__ import annotations

from dataclasses import replace

from include.aws import endpoints
from include.aws.alarms import ensure as ensure_alarm
from include.ledger.objects import Kind, reverted_key
from include.rollout.errors import TerminalError
from include.rollout.guardrail import alarms
from include.rollout.stage import Stage, config_name
from include.rollout.verdict import Action
from include.steps.decide import needs_approval, refused_by_approval
from include.steps.reach import asked_key, begun_key, reach, refuse_restored
from include.steps.restore import restore
from include.steps.rollout import Rollout, Wait
from include.steps.watch import taken_back


def promote(rollout: Rollout, wait: Wait | None = None) -> Wait | None:
    """Carry out the decision to promote: take the shadow away first, then move production to the candidate.

    The promoting config keeps production's variant name, which guardrails, alarms, dashboards and scaling policies
    key on, and it never has a shadow in it: whether AWS shifts traffic gradually beside a shadow is not documented.
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
    if wait is None or wait.phase == Stage.BASELINE:
        if not _promoting(rollout):
            state = endpoints.describe(rollout.clients, rollout.baseline.endpoint)
            if state is not None:
                refuse_restored(rollout, state)
            pending = restore(rollout, lease, wait)
            if pending is not None:
                return pending
        wait = None
    candidate = rollout.ledger.require(Kind.CANDIDATE)["model"]
    guardrails = rollout.spec.promotion.guardrails
    if guardrails is not None and _reverted(rollout, wait):
        return None
    if wait is None:
        for alarm in alarms(rollout.spec, rollout.baseline, rollout.id):
            rollout.leases.check(lease)
            ensure_alarm(rollout.clients, alarm, rollout.tags)
    pending = reach(rollout, Stage.PROMOTED, lease, wait, candidate=candidate, guardrails=guardrails)
    if pending is None:
        config = config_name(rollout.id, Stage.PROMOTED, rollout.baseline)
        rollout.write(Kind.PROMOTION, {"config": config, "model": candidate})
        rollout.headline("PROMOTED")(f"{rollout.baseline.variant} serves model {candidate}")
        return None
    return replace(pending, phase=Stage.PROMOTED.value)


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
