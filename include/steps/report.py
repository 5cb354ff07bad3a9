"""The report: everything of a rollout that a person needs months later, in one object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.ledger.objects import Kind, content
from include.ledger.reader import Reader
from include.report.page import rollout_page
from include.rollout.names import moment
from include.steps.rollout import Rollout

_PARTS = (
    Kind.OPEN,
    Kind.SPEC,
    Kind.PLAN,
    Kind.CANDIDATE,
    Kind.WINDOW,
    Kind.EXTENSION,
    Kind.VERDICT,
    Kind.DECISION,
    Kind.PROMOTION,
    Kind.RESTORE,
    Kind.FOREIGN,
    Kind.CLEANUP,
    Kind.COST,
    Kind.OUTCOME,
)


def write_report(rollout: Rollout) -> dict[str, Any]:
    """Write the report once, as JSON and as the page that people read, from the ledger alone; return the JSON."""
    ledger = rollout.ledger
    parts = ledger.read_many(_PARTS)
    readings = ledger.read_many(ledger.keys(f"{Kind.FINDING}/"))
    shards = ledger.read_many(key for key in ledger.keys(f"{Kind.REPLAY}/") if not key.endswith(".started"))
    ticks = ledger.ticks()
    last = ticks[-1] if ticks else None
    outcome = parts[Kind.OUTCOME]
    opened, ended = parts.get(Kind.OPEN), outcome
    report: dict[str, Any] = {
        "rollout": rollout.id,
        "run": {"dag_id": rollout.run.dag_id, "run_id": rollout.run.run_id},
        "end": outcome["end"],
        "reason": outcome["reason"],
        "minutes": _minutes(opened, ended),
        "variants": {role: _variant(last, role) for role in ("production", "shadow")} if last else {},
        "findings": [finding for reading in readings.values() for finding in reading["findings"]]
        if readings
        else [],
        "replay": {key.partition("/")[2]: content(document) for key, document in shards.items()},
        "evidence_curve": [
            {"end": tick["end"], "log_e": tick["log_e"], "bar": tick["bar"]} for tick in ticks
        ],
        "objects": {str(key): content(document) for key, document in parts.items()},
    }
    written = rollout.write(Kind.REPORT, report)
    record = Reader(rollout.store).rollout(rollout.id)
    assert record is not None, "a rollout that was just written to has a record"
    ledger.write_page(Kind.REPORT_PAGE, rollout_page(record, live=False).encode())
    return written


def _minutes(opened: Mapping[str, Any] | None, ended: Mapping[str, Any]) -> float | None:
    if opened is None:
        return None
    return round((moment(ended["written_at"]) - moment(opened["written_at"])).total_seconds() / 60, 2)


def _variant(tick: Mapping[str, Any], role: str) -> dict[str, Any]:
    numbers = tick[role]
    return {key: numbers[key] for key in ("invocations", "errors", "error_rate", "p50_ms", "p90_ms")}
