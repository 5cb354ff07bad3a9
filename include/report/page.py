"""One rollout as a page: for the console, which follows it, and for the report that is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.ledger.objects import Kind, replay_key
from include.ledger.reader import Document, Record
from include.report import numbers
from include.report.headline import RUN_OVER, endpoint_of, headline, lost
from include.report.history import history
from include.report.rendering import Links, part, render
from include.report.series import ROLES, Row, crossing, evidence_of, lines, rows, rows_of, window
from include.report.statistics import describe

SECTIONS = ("verdict", "charts", "statistics", "gates", "history", "changes", "replay")
_CHANGING = ("verdict", "periods", "statistics", "gates", "history", "changes", "replay")
_ROWS_SHOWN = 500  # of the charts' table: a window of a week has ten thousand periods


def rollout_page(
    record: Record, *, live: bool, links: Links | None = None, run_state: str | None = None
) -> str:
    """Render one rollout; every value is escaped.

    With `live`, the page belongs to the console: it loads its files from `links.static` and follows the rollout
    through `links.ticks` while it runs. Without, it is one self-contained file that loads nothing, with a content
    security policy of its own that lets exactly its own scripts run: the report that is kept. `run_state` is the DAG
    run's in Airflow: a rollout whose run is over although it has no outcome was lost, and its page says so.
    """
    if live and links is None:
        raise ValueError("a live page needs the links of the console; give them, or render the stored report")
    view = _view(record)
    if live:
        gone = not record.is_over and run_state in RUN_OVER
        return render("rollout.html", links, **view, lost=lost(str(run_state)) if gone else None)
    return render("stored.html", None, **view)


def news(record: Record, after: str) -> dict[str, Any] | None:
    """Return what a page that has seen everything up to the cursor `after` lacks, JSON-safe; None if nothing.

    Ticks come one by one; whatever else was written may change any part of the page, so its parts come whole.
    """
    if after == cursor(record):
        return None
    seen = after.partition(".")[2]
    later = [tick for end, tick in record.all(Kind.TICK).items() if end > seen]
    read = bool(record.all(Kind.EVIDENCE))  # a reading of the closed window may tell every period anew
    view = _view(record)
    return {
        "cursor": cursor(record),
        "title": page_title(record),
        **view["series"],
        "rows": view["series"]["rows"] if read else rows_of(later),
        "evidence": evidence_of(later),
        "sections": {name: part(f"sections/{name}.html", **view) for name in _CHANGING},
    }


def page_title(record: Record) -> str:
    """Name the page for the browser's tab."""
    return f"{endpoint_of(record) or record.rollout_id}: {headline(record).word.lower()} · Shadow rollout"


def series(record: Record) -> dict[str, Any]:
    """Return what the charts draw, JSON-safe."""
    return {
        "rows": rows(record),
        "evidence": evidence_of(record.ticks),
        "lines": lines(record),
        "window": window(record) or {"begin": None, "end": None},
        "over": record.is_over,
    }


def _view(record: Record) -> dict[str, Any]:
    """Return what the sections show; whatever was not written is None or empty, never missing."""
    found = rows(record)
    evidence = evidence_of(record.ticks)
    opened = record.get(Kind.OPEN) or {}
    outcome = record.get(Kind.OUTCOME) or {}
    took = numbers.between(_when(opened), _when(outcome))
    readings = list(record.all(Kind.FINDING).values())
    spec = record.get(Kind.SPEC) or {}
    return {
        "rollout_id": record.rollout_id,
        "title": page_title(record),
        "sections": SECTIONS,
        "headline": headline(record),
        "over": record.is_over,
        "endpoint": endpoint_of(record),
        "opened": opened,
        "outcome": outcome,
        "took": took.total_seconds() if took is not None else None,
        "spec": spec,
        "asked": spec.get("spec") or {},
        "window": window(record),
        "samplings": _samplings(record),
        "baseline": record.get(Kind.BASELINE),
        "candidate": record.get(Kind.CANDIDATE),
        "plan": record.get(Kind.PLAN),
        "decision": record.get(Kind.DECISION),
        "verdict": record.get(Kind.VERDICT),
        "cleanup": record.get(Kind.CLEANUP),
        "failures": list(record.all(Kind.FAILURE).values()),
        "history": history(record),
        "statistics": [describe(found, record, role) for role in ROLES],
        "readings": [_reading(reading) for reading in readings],
        "replay": _accounts(record),
        "rows": found[-_ROWS_SHOWN:],
        "rows_left_out": max(0, len(found) - _ROWS_SHOWN),
        "evidence": evidence[-_ROWS_SHOWN:],
        "crossing": crossing(evidence),
        "series": series(record),
        "cursor": cursor(record),
        "digest": (record.get(Kind.DECISION) or record.get(Kind.VERDICT) or {}).get("evidence"),
    }


def _samplings(record: Record) -> list[Mapping[str, Any]]:
    """Return the notes of a managed test from which on another share was copied."""
    return [
        note
        for note in record.all(Kind.TEST).values()
        if note.get("was") and note["was"].get("sampling") != note.get("sampling")
    ]


def cursor(record: Record) -> str:
    """Return how far a page that shows this record has seen: the last tick, and how many objects there were."""
    last = next(reversed(record.all(Kind.TICK)), "")
    return f"{len(record.objects)}.{last}"


def _when(document: Document) -> str | None:
    written = document.get("written_at")
    return None if written is None else str(written)


def _reading(document: Document) -> dict[str, Any]:
    """Return one reading of the gates with every field that its table shows."""
    fields: dict[str, Any] = {
        "gate": "",
        "severity": "",
        "outcome": "",
        "reason": "",
        "unit": "",
        "effect": None,
        "low": None,
        "high": None,
        "limit": None,
        "alpha": None,
        "log_e": None,
        "n": None,
        "periods": None,
        "dropped": None,
    }
    findings = [{**fields, **found} for found in document.get("findings") or ()]
    return {
        "reading": document.get("reading"),
        "verdict": document.get("verdict"),
        "closed": document.get("closed"),
        "findings": findings,
    }


def _accounts(record: Record) -> list[Row]:
    """Return the replay's accounts by shard; a shard that is still sending has none yet."""
    found: list[Row] = []
    written = record.all(Kind.REPLAY)
    for tail in sorted({name.partition(".")[0] for name in written}):
        document, started = written.get(tail), written.get(f"{tail}.started") or {}
        account: Mapping[str, Any] = (document or {}).get("account") or {}
        found.append(
            {
                "shard": int(tail) if tail.isdecimal() else tail,
                "key": replay_key(int(tail)) if tail.isdecimal() else tail,
                "rate": started.get("rate"),
                "sending": document is None,
                "scheduled": account.get("scheduled"),
                "answered": account.get("answered"),
                "failed": sum((account.get("failed") or {}).values()),
                "kinds": dict(account.get("failed") or {}),
                "shed": account.get("shed"),
                "bad_rows": (document or {}).get("bad_rows"),
                "spared": account.get("spared", 0),
                "uncertain": sum(end - first for first, end in (document or {}).get("uncertain") or ()),
            }
        )
    return found
