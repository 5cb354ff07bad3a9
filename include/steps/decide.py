"""Turn the verdict, and what a person said, into a decision; it is written before anything is done about it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from include.ledger.objects import Kind
from include.rollout.promotion import Settings
from include.rollout.spec import Mode
from include.rollout.verdict import Action, Conclusion, End, Verdict
from include.stats.calibration import LEAST_PERIODS, pooled
from include.steps.edit import least_sampling
from include.steps.noise import learn
from include.steps.observe import Closed
from include.steps.override import objection
from include.steps.rollout import Rollout
from include.steps.wishes import concluded

_GATES = "the gates"


def decide(rollout: Rollout) -> Action:
    """Promote on a PROMOTE verdict, or on a person's override of an INCONCLUSIVE one where the spec allows it.

    Everything else rolls back: a person's wish to remove, any FAIL, which nobody can override, and a wish to promote
    what nobody measured or what breaks a fixed limit.
    """
    rollout.refuse_if_over()
    verdict = rollout.ledger.require(Kind.VERDICT)
    said = Verdict(verdict["verdict"])
    reason = str(verdict["reason"])
    if verdict["closed"] == Closed.BUDGET:
        reason = f"the budget was spent before the window's end: {reason}"
    action, end, who, why = _proven(rollout, _weigh(rollout, said, reason))
    acted = action
    if rollout.spec.mode is Mode.DRY_RUN:
        acted, end = Action.ROLL_BACK, End.DRY_RUN
    elif rollout.spec.mode is Mode.AA:
        acted = Action.ROLL_BACK
        end, why = _calibrated(rollout)
    document: dict[str, Any] = {
        "verdict": said.value,
        "action": acted.value,
        "end": end.value,
        "who": who,
        "why": why,
        "evidence": verdict["evidence"],
        "would_have": action.value,
    }
    decision = rollout.write(Kind.DECISION, document)
    rollout.headline("decide")(
        f"verdict {decision['verdict']}; {decision['who']} decided to {decision['action']}: {decision['why']}"
    )
    return Action(decision["action"])


class Course(StrEnum):
    """What comes after a decision."""

    PROMOTE = "promote"
    APPROVE = "approve"
    ROLL_BACK = "rollback"


def course(rollout: Rollout) -> Course:
    """Decide, and say what comes next."""
    if decide(rollout) is Action.ROLL_BACK:
        return Course.ROLL_BACK
    return Course.APPROVE if needs_approval(rollout) else Course.PROMOTE


def needs_approval(rollout: Rollout) -> bool:
    """Say whether a person must agree to the decision; who promoted by hand has agreed to it already."""
    by_gates = rollout.ledger.require(Kind.DECISION)["who"] == _GATES
    return by_gates and rollout.spec.promotion.approval


def approve(rollout: Rollout, *, approved: bool, who: str, why: str) -> bool:
    """Record a person's answer once and return the answer that stands; no answer in time is a no."""
    answer = rollout.write(Kind.APPROVAL, {"approved": approved, "who": who, "why": why})
    rollout.headline("approve")(
        f"{answer['who']} said {'yes' if answer['approved'] else 'no'}: {answer['why'] or 'no reason given'}"
    )
    return bool(answer["approved"])


def refused_by_approval(rollout: Rollout) -> dict[str, Any] | None:
    """Return the refusal of an approval, or None where none was asked for, given yet, or refused."""
    answer = rollout.ledger.read(Kind.APPROVAL)
    return answer if answer is not None and not answer["approved"] else None


def _calibrated(rollout: Rollout) -> tuple[End, str]:
    """Keep what the A/A rollout taught, and say what that is."""
    calibration = learn(rollout)
    if calibration is None:
        return End.INCONCLUSIVE, (
            f"fewer than {LEAST_PERIODS} periods of both variants were measured, which teach nothing about the noise; "
            "make window.length longer"
        )
    noise = pooled([calibration])
    return End.CALIBRATED, (
        f"equal variants differed by {calibration.mean:+.1%} over {calibration.periods} periods; with the prior that is "
        f"{noise.jitter_sd:.1%} jitter a period (autocorrelation {noise.autocorrelation:.2f}) and {noise.offset_sd:.1%} "
        "lasting offset"
    )


_Weighed = tuple[Action, End, str, str]


def _proven(rollout: Rollout, weighed: _Weighed) -> _Weighed:
    """Let the shadow's own instances be promoted only if they carried all requests all the time, whatever was edited."""
    if weighed[0] is not Action.PROMOTE or rollout.spec.promotion.settings is not Settings.SHADOW:
        return weighed
    least = least_sampling(rollout)
    if least == 1:
        return weighed
    return (
        Action.ROLL_BACK,
        End.INCONCLUSIVE,
        _GATES,
        f"{weighed[3]}; but promotion.settings is shadow and only {least:.0%} of the requests were copied for a while, so "
        "the shadow's instances are not proven",
    )


def _weigh(rollout: Rollout, said: Verdict, reason: str) -> _Weighed:
    asked = concluded(rollout)
    if said is Verdict.ROLL_BACK:
        return Action.ROLL_BACK, End.ROLLED_BACK, _GATES, reason
    if asked is not None and asked["action"] == Conclusion.REMOVE:
        return Action.ROLL_BACK, End.ROLLED_BACK, asked["who"], asked["why"]
    if said is Verdict.PROMOTE:
        return Action.PROMOTE, End.PROMOTED, _GATES, reason
    if asked is not None and asked["action"] == Conclusion.PROMOTE and rollout.spec.promotion.override:
        against = objection(rollout)
        if against is None:
            return Action.PROMOTE, End.PROMOTED, asked["who"], asked["why"]
        broken, words = against
        end = End.INCONCLUSIVE if broken is None else End.ROLLED_BACK
        return Action.ROLL_BACK, end, _GATES, f"{asked['who']} asked to promote, but {words}"
    return Action.ROLL_BACK, End.INCONCLUSIVE, _GATES, reason
