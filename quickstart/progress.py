"""What somebody who watches a rollout is told: what its ledger says anew, and where it is now."""

from __future__ import annotations

from datetime import UTC, datetime

from quickstart.record import Record


def news(key: str, record: Record) -> list[str]:
    """Return what a new object of the ledger says to somebody who watches."""
    document = record.get(key) or {}
    if key == "plan":
        gates = document.get("gates", [])
        return [
            f"plan: {document.get('traffic', '')}",
            *(f"plan: {gate['gate']}: {gate['sentence']}" for gate in gates),
        ]
    if key.startswith("tick/"):
        return [str(document["line"])]
    if key == "window":
        return [
            f"both variants answer; the window is {document['begin'][11:19]} to {document['end'][11:19]} UTC"
        ]
    if key == "extension":
        return [f"inconclusive; the window is extended once by {document['seconds']} s"]
    if key == "verdict":
        return [f"verdict {document['verdict']}: {document['reason']}"]
    return []


def standing(tasks: dict[str, str | None], record: Record) -> str:
    """Return the line that says where the rollout is now."""
    busy = [
        task for task, state in tasks.items() if state in ("running", "deferred", "queued", "up_for_retry")
    ]
    text = f"rollout {record.rollout} · {', '.join(busy) or 'between tasks'}".replace("[", "(").replace(
        "]", ")"
    )
    if (window := record.window) and record.get("verdict") is None:
        now = datetime.now(UTC)
        begin, end = window
        if now < begin:
            text += f" · warm-up, {(begin - now).total_seconds():.0f} s left"
        else:
            text += f" · window, {max((end - now).total_seconds(), 0):.0f} s left"
        if tick := record.last("tick/"):
            production, shadow = tick["production"]["error_rate"], tick["shadow"]["error_rate"]
            text += f" · errors {production:.2%} / {shadow:.2%}"
    return text
