"""A person's word while a rollout runs: promote now, remove now, look for longer, or edit its managed test."""

from __future__ import annotations

from include.ledger.objects import Kind, Ledger
from include.rollout.errors import RefusedError, TerminalError
from include.rollout.experiment import Edit
from include.rollout.promotion import Settings
from include.rollout.spec import RolloutSpec, recall
from include.rollout.verdict import Conclusion
from include.rollout.window import WindowSection, kept
from include.steps.edit import extended_end, wanted_edit
from include.steps.hold import is_held
from include.steps.override import unseen
from include.steps.rollout import Rollout
from include.steps.watch import is_watching


def conclude(
    rollout: Rollout,
    action: Conclusion,
    *,
    who: str,
    why: str,
    seconds: int = 0,
    edit: Edit | None = None,
) -> str:
    """Record what a named person asks for and why; the task that watches acts on it at its next look.

    A candidate that waits for its promotion window, or is promoted and still watched, can be removed, and nothing else.
    Promoting ends the window early, so no gate can pass on it: it overrides an INCONCLUSIVE verdict and needs
    promotion.override in the spec, and one period of both variants at least. An edit is of a managed test alone; an
    extension moves the end of such a test where the window would outlast it. Raises RefusedError for what cannot be
    done, TerminalError once it is over.
    """
    ledger = rollout.ledger
    rollout.refuse_if_over()
    stored = ledger.read(Kind.SPEC)
    if stored is None or ledger.read(Kind.BASELINE) is None:
        raise RefusedError(f"rollout {rollout.id} is not running yet; wait until its task `open` is done.")
    if not who.strip() or not why.strip():
        raise RefusedError("a conclusion is recorded with who asked and why; give both.")
    spec = recall(stored["spec"], f"the stored spec of rollout {rollout.id}")
    removable = action is Conclusion.REMOVE and (is_held(rollout) or is_watching(rollout))
    if ledger.read(Kind.REPLAY_STOP) is not None and not removable:
        raise TerminalError(
            f"the window of rollout {rollout.id} is closed already; what the gates found stands."
        )
    if action is Conclusion.PROMOTE and not spec.promotion.override:
        raise RefusedError(
            f"the spec of rollout {rollout.id} does not let a person override its gates; "
            "set promotion.override to true in a new rollout, or let the window end."
        )
    blind = unseen(rollout) if action is Conclusion.PROMOTE else None
    if blind is not None:
        raise RefusedError(
            f"rollout {rollout.id} cannot be promoted now: {blind}; ask again once its window is open and was looked at."
        )
    edit = edit or Edit()
    if action is not Conclusion.EDIT and edit != Edit():
        raise RefusedError(f"sampling and end were given to {action.value}; they belong to edit alone.")
    document = {"action": action.value, "who": who.strip(), "why": why.strip(), "seconds": seconds}
    if action is Conclusion.EXTEND:
        _refuse_extension(ledger, seconds, spec.window)
        document |= extended_end(rollout, seconds)
    elif action is Conclusion.EDIT:
        _refuse_unproven(spec, edit)
        document |= wanted_edit(rollout, edit)
    key = ledger.append(Kind.CONCLUDE, document, at=rollout.now())
    asked = [f"by {seconds} s"] if seconds else []
    if document.get("sampling") is not None:
        asked.append(f"to {document['sampling']:.0%} sampling")
    if document.get("end") is not None:
        asked.append(f"with the managed test's end at {document['end']}")
    rollout.headline("conclude")(" ".join([f"{who} asked to {action.value}", *asked]) + f": {why}")
    return key


def _refuse_unproven(spec: RolloutSpec, edit: Edit) -> None:
    """Raise RefusedError for a sampling below 1 where the shadow's own instances are to be promoted."""
    if spec.promotion.settings is Settings.SHADOW and edit.sampling is not None and edit.sampling < 1:
        raise RefusedError(
            f"sampling is {edit.sampling:g} and the spec promotes with the shadow's settings, which are only proven at "
            "sampling 1; leave it at 1, or start a new rollout with promotion.settings production."
        )


def _refuse_extension(ledger: Ledger, seconds: int, window: WindowSection) -> None:
    """Raise RefusedError for an extension that the spec does not allow, or that CloudWatch would forget the begin of.

    An extension comes on top of the window's own to its maximum, should that be needed.
    """
    period, maximum = window.period, window.maximum
    before = ledger.read_many(ledger.keys(f"{Kind.CONCLUDE}/")).values()
    added = sum(document["seconds"] for document in before)
    if seconds <= 0 or seconds % period or added + seconds > maximum:
        raise RefusedError(
            f"the window cannot be extended by {seconds} s; give a multiple of its period ({period} s), "
            f"{maximum - added} s at most."
        )
    remembered = kept(period)
    left = (remembered - window.lag - maximum - added) // period * period
    if seconds > left:
        raise RefusedError(
            f"the window cannot be extended by {seconds} s: CloudWatch gives periods of {period} s back for {remembered} s "
            f"only, and with lag, maximum ({maximum} s) and what was added the window's begin would be gone; give "
            f"{max(0, left)} s at most, or start a new rollout with a longer period."
        )
