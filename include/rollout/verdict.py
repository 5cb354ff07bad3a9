"""The verdict: all findings folded into one word, and the ways in which a rollout ends."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from include.rollout.gate import Finding, Outcome


class Verdict(StrEnum):
    """What the findings say should happen."""

    PROMOTE = "PROMOTE"
    ROLL_BACK = "ROLL_BACK"
    INCONCLUSIVE = "INCONCLUSIVE"


class Action(StrEnum):
    """What is done about a verdict."""

    PROMOTE = "promote"
    ROLL_BACK = "roll_back"


class Conclusion(StrEnum):
    """What a person may ask of a running rollout."""

    PROMOTE = "promote"  # end the window now; promote unless a gate contradicts it
    REMOVE = "remove"  # end the window now; roll back
    EXTEND = "extend"  # look for longer
    EDIT = "edit"  # copy another share of the requests, or let the managed test end at another time

    @property
    def closes(self) -> bool:
        """Say whether it ends the window."""
        return self in (Conclusion.PROMOTE, Conclusion.REMOVE)


class End(StrEnum):
    """How a rollout ended; all are terminal."""

    PROMOTED = "PROMOTED"
    ROLLED_BACK = "ROLLED_BACK"
    INCONCLUSIVE = "INCONCLUSIVE"
    CALIBRATED = "CALIBRATED"
    DRY_RUN = "DRY_RUN"
    CRASHED = "CRASHED"
    FOREIGN_CHANGE = "FOREIGN_CHANGE"
    REFUSED = "REFUSED"

    @property
    def is_green(self) -> bool:
        """Say whether the DAG run of a rollout that ended so is a success."""
        return self not in (End.CRASHED, End.FOREIGN_CHANGE, End.REFUSED)


def fold(findings: Iterable[Finding]) -> Verdict:
    """Roll back on any binding FAIL, promote only when every binding finding is a PASS, else stay inconclusive."""
    binding = [finding.outcome for finding in findings if finding.binds]
    if Outcome.FAIL in binding:
        return Verdict.ROLL_BACK
    if binding and all(outcome is Outcome.PASS for outcome in binding):
        return Verdict.PROMOTE
    return Verdict.INCONCLUSIVE


def deciding(findings: Iterable[Finding]) -> Finding | None:
    """Return the finding that decided: the first binding FAIL, else the first binding one that did not pass."""
    binding = [finding for finding in findings if finding.binds]
    for outcomes in ({Outcome.FAIL}, {Outcome.NO_DATA, Outcome.INCONCLUSIVE}):
        for finding in binding:
            if finding.outcome in outcomes:
                return finding
    return None
