"""Promote the candidate under production's own variant name, in two steps."""

from __future__ import annotations

from dataclasses import replace

from include.rollout.errors import TerminalError
from include.rollout.stage import Stage, config_name
from include.rollout.verdict import Action
from include.steps.decide import refused_by_approval
from include.steps.reach import begun_key, reach
from include.steps.restore import restore
from include.steps.rollout import Rollout, Wait


def promote(rollout: Rollout, wait: Wait | None = None) -> Wait | None:
    """Carry out the decision to promote: take the shadow away first, then move production to the candidate.

    The promoting config keeps production's variant name, which guardrails, alarms, dashboards and scaling policies
    key on, and it never has a shadow in it: whether AWS shifts traffic gradually beside a shadow is not documented.
    """
    rollout.refuse_if_over()
    decision = rollout.ledger.require("decision")
    if decision["action"] != Action.PROMOTE:
        raise TerminalError(
            f"the decision of rollout {rollout.id} is {decision['action']}; only a decision to promote promotes."
        )
    refusal = refused_by_approval(rollout)
    if refusal is not None:
        raise TerminalError(f"{refusal['who']} refused to promote rollout {rollout.id}; it is rolled back.")
    lease = rollout.lease()
    if wait is None or wait.phase == Stage.BASELINE:
        if not _promoting(rollout):
            pending = restore(rollout, lease, wait)
            if pending is not None:
                return pending
        wait = None
    candidate = rollout.ledger.require("candidate")["model"]
    pending = reach(rollout, Stage.PROMOTED, lease, wait, candidate=candidate)
    if pending is None:
        config = config_name(rollout.id, Stage.PROMOTED, rollout.baseline)
        rollout.write("promotion", {"config": config, "model": candidate})
        rollout.headline("PROMOTED")(f"{rollout.baseline.variant} serves model {candidate}")
        return None
    return replace(pending, phase=Stage.PROMOTED.value)


def _promoting(rollout: Rollout) -> bool:
    return rollout.ledger.read(begun_key(Stage.PROMOTED)) is not None
