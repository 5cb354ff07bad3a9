"""A promotion that waits for its window, on the endpoint as it was; a person may call it off meanwhile."""

from __future__ import annotations

from include.ledger.objects import begun_key, held_key, withdrawn_key
from include.rollout.names import timestamp
from include.rollout.promotion_window import next_opening
from include.rollout.stage import Stage
from include.rollout.verdict import Conclusion
from include.steps.rollout import Rollout, Wait
from include.steps.wishes import wishes

_LOOK = 900.0  # seconds between two looks for what a person said, and at the endpoint; each is a process of its own
PHASE = "held"


def is_held(rollout: Rollout) -> bool:
    """Say whether the promotion waits for its window, so that it can be called off."""
    ledger = rollout.ledger
    return (
        ledger.read(held_key()) is not None
        and ledger.read(withdrawn_key()) is None
        and ledger.read(begun_key(Stage.PROMOTED)) is None
    )


def hold(rollout: Rollout) -> Wait | None:
    """Return the wait for the next promotion window; None where one is open, or the promotion has begun.

    Only its beginning is held to a window: a guarded update may last beyond it.
    """
    if rollout.ledger.read(begun_key(Stage.PROMOTED)) is not None:
        return None
    now = rollout.now()
    opens = next_opening(rollout.spec.promotion.windows, now)
    if opens <= now:
        return None
    if rollout.ledger.read(held_key()) is None:
        rollout.write(held_key(), {"opens": timestamp(opens)})
        rollout.headline(Stage.PROMOTED)(
            f"no promotion window is open; the next one opens {opens:%a %Y-%m-%d %H:%M} UTC, and until then the endpoint "
            "serves as before"
        )
    return Wait(
        what="a promotion window",
        every=min(_LOOK, (opens - now).total_seconds()),
        until=opens,
        phase=PHASE,
    )


def called_off(rollout: Rollout) -> bool:
    """Say, and note, whether a person asked to remove the candidate while its promotion waits."""
    if not is_held(rollout):
        return rollout.ledger.read(withdrawn_key()) is not None
    asked = next((said for said in wishes(rollout).values() if said["action"] == Conclusion.REMOVE), None)
    if asked is None:
        return False
    rollout.write(withdrawn_key(), {"who": asked["who"], "why": asked["why"]})
    rollout.headline(Stage.PROMOTED)(f"{asked['who']} called the promotion off: {asked['why']}")
    return True
