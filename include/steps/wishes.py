"""What people asked of a running rollout, as the ledger has it."""

from __future__ import annotations

from typing import Any

from include.ledger.objects import Kind
from include.rollout.verdict import Conclusion
from include.steps.rollout import Rollout


def wishes(rollout: Rollout) -> dict[str, dict[str, Any]]:
    """Return every word of a person by its key, in the order in which they came."""
    return rollout.ledger.read_many(rollout.ledger.keys(f"{Kind.CONCLUDE}/"))


def concluded(rollout: Rollout) -> dict[str, Any] | None:
    """Return the first word of a person that ends the window, or None."""
    return next((said for said in wishes(rollout).values() if Conclusion(said["action"]).closes), None)


def asked_extension(rollout: Rollout) -> int:
    """Return by how many seconds people have extended the window, at most window.maximum in all."""
    said = wishes(rollout).values()
    seconds = sum(each["seconds"] for each in said if each["action"] == Conclusion.EXTEND)
    return min(int(seconds), rollout.spec.window.maximum)
