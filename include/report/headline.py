"""Where a rollout stands, in one word and one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from include.ledger.objects import (
    Kind,
    begun_key,
    deployment_key,
    held_key,
    removed_key,
    reverted_key,
    watched_key,
    withdrawn_key,
)
from include.ledger.reader import Document, Record
from include.report.numbers import count, evidence, instant, span
from include.report.series import window
from include.rollout.stage import Stage
from include.rollout.verdict import Action, End


class Tone(StrEnum):
    """How a state is coloured; the word beside it says the same."""

    GOOD = "good"
    BAD = "bad"
    WARN = "warn"
    NOTE = "note"
    LIVE = "live"


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """A rollout's state: the word on its badge, and the sentence beside it."""

    word: str
    tone: Tone
    sentence: str


RUN_OVER = frozenset({"success", "failed"})  # Airflow's words for a DAG run that does nothing any more

_TONES = {
    End.PROMOTED: Tone.GOOD,
    End.ROLLED_BACK: Tone.BAD,
    End.INCONCLUSIVE: Tone.WARN,
    End.CALIBRATED: Tone.NOTE,
    End.DRY_RUN: Tone.NOTE,
    End.CRASHED: Tone.BAD,
    End.FOREIGN_CHANGE: Tone.BAD,
    End.REFUSED: Tone.WARN,
}


def headline(record: Record) -> Headline:
    """Say how the rollout ended and why, or what it is doing now."""
    outcome = record.get(Kind.OUTCOME)
    if outcome is None:
        return Headline(word="RUNNING", tone=Tone.LIVE, sentence=_sentence(_doing(record), ""))
    word = str(outcome.get("end", "ENDED"))
    return Headline(
        word=word.replace("_", " "),
        tone=_TONES.get(End(word), Tone.NOTE) if word in set(End) else Tone.NOTE,
        sentence=_sentence(_ended(record, word), str(outcome.get("reason") or "")),
    )


def brief(outcome: Document) -> Headline:
    """Say how a rollout ended from its outcome alone, for a line of the list."""
    word = str(outcome.get("end", "ENDED"))
    tone = _TONES.get(End(word), Tone.NOTE) if word in set(End) else Tone.NOTE
    return Headline(
        word=word.replace("_", " "), tone=tone, sentence=_sentence(str(outcome.get("reason") or ""), "")
    )


def lost(run_state: str) -> Headline:
    """Say of a rollout without an outcome that its DAG run, being over, will not write one."""
    return Headline(
        word="LOST",
        tone=Tone.BAD,
        sentence=f"Its DAG run is over ({run_state}), but the rollout has no outcome: the janitor settles it, or the "
        "next rollout of this endpoint does.",
    )


def endpoint_of(record: Record) -> str:
    """Name the endpoint, from whatever was written first; empty before the spec was."""
    baseline, spec = record.get(Kind.BASELINE), record.get(Kind.SPEC)
    if baseline is not None:
        return str(baseline.get("endpoint", ""))
    return str(((spec or {}).get("spec") or {}).get("endpoint", {}).get("name", ""))


def _ended(record: Record, word: str) -> str:
    endpoint = f"endpoint {endpoint_of(record)}" if endpoint_of(record) else "the endpoint"
    decision = record.get(Kind.DECISION) or {}
    who = str(decision.get("who") or "")
    by = f" by {who}" if who and who != "the gates" else ""
    if record.get(removed_key()) is not None and word != End.FOREIGN_CHANGE:
        return f"It ended {word}; {endpoint}, which it had created, was removed"
    match word:
        case End.PROMOTED:
            return f"The candidate was promoted{by} and now serves {endpoint}"
        case End.ROLLED_BACK if (undone := _undone(record)) is not None:
            return f"The promotion was {undone}; {endpoint} serves what it served before"
        case End.ROLLED_BACK:
            return f"Rolled back{by}; {endpoint} serves what it served before"
        case End.INCONCLUSIVE if (record.get(Kind.APPROVAL) or {"approved": True}).get("approved") is False:
            return f"The promotion was not approved, so {endpoint} serves what it served before"
        case End.INCONCLUSIVE:
            return f"No verdict could be reached, so {endpoint} serves what it served before"
        case End.CALIBRATED:
            return f"Production was compared with itself; {endpoint} is as before"
        case End.DRY_RUN:
            would = "promoted" if decision.get("would_have") == Action.PROMOTE else "rolled back"
            return f"Dry run: the gates would have {would} the candidate, and {endpoint} is as before"
        case End.CRASHED if record.get(Kind.BASELINE) is None:
            return f"It ended while it was being opened, and {endpoint} was never touched"
        case End.CRASHED:
            return f"Crashed; {endpoint} was put back as it was"
        case End.FOREIGN_CHANGE:
            return f"Somebody else changed {endpoint}, which was left as they made it"
        case End.REFUSED:
            return f"Refused before {endpoint} was touched"
    return f"It ended as {word}"


def _doing(record: Record) -> str:
    """Say what a rollout without an outcome is doing, from the last thing that it wrote."""
    has, endpoint = record.get, endpoint_of(record)
    decision = has(Kind.DECISION)
    if _watches_promoted(record):
        return f"The candidate was promoted on endpoint {endpoint} and is being watched"
    if has(Kind.PROMOTION) is not None or has(Kind.RESTORE) is not None:
        return "The decision was carried out; what the rollout created is being cleaned up"
    if decision is not None and _awaits_approval(record, decision):
        return f"Decided by {decision.get('who')} to promote the candidate; a person is asked to approve, in Airflow"
    if _is_held(record):
        opens = instant((has(held_key()) or {}).get("opens"))
        return f"The promotion on endpoint {endpoint} waits for its window, which opens {opens}"
    if decision is not None:
        verb = "promoting the candidate" if decision.get("action") == Action.PROMOTE else "rolling back"
        return f"Decided by {decision.get('who')}: {verb} on endpoint {endpoint}"
    verdict = has(Kind.VERDICT)
    if verdict is not None:
        return f"The verdict is {verdict.get('verdict')}; a decision is next"
    failures = list(record.all(Kind.FAILURE).values())
    if failures:
        return f"The task {failures[0].get('task')} failed; the endpoint is being put back as it was"
    if has(Kind.WINDOW) is not None:
        return _watching(record)
    if has(deployment_key("shadow")) is not None:
        return f"The shadow serves on endpoint {endpoint}; waiting for requests on both variants"
    if has(Kind.CANDIDATE) is not None:
        return f"The candidate is registered; the shadow is being deployed on endpoint {endpoint}"
    if has(Kind.BASELINE) is not None:
        return f"Endpoint {endpoint} is ours for this rollout; the candidate is being registered"
    return "The rollout is being opened"


def _undone(record: Record) -> str | None:
    """Say what became of a promotion that was decided on and does not stand."""
    if record.get(withdrawn_key()) is not None:
        return "called off"
    over = record.get(watched_key())
    reverted = record.get(reverted_key()) is not None or (over is not None and over.get("closed") != "end")
    return "taken back" if reverted else None


def _is_held(record: Record) -> bool:
    after = (record.get(withdrawn_key()), record.get(begun_key(Stage.PROMOTED)))
    return record.get(held_key()) is not None and after == (None, None) and not record.all(Kind.FAILURE)


def _watches_promoted(record: Record) -> bool:
    asked = ((record.get(Kind.SPEC) or {}).get("spec") or {}).get("promotion") or {}
    return (
        bool(asked.get("watch"))
        and record.get(Kind.PROMOTION) is not None
        and record.get(watched_key()) is None
        and not record.all(Kind.FAILURE)
    )


def _awaits_approval(record: Record, decision: Document) -> bool:
    """Say whether a person still has to agree; who promoted by hand has agreed already."""
    asked = ((record.get(Kind.SPEC) or {}).get("spec") or {}).get("promotion") or {}
    return (
        bool(asked.get("approval"))
        and decision.get("action") == Action.PROMOTE
        and decision.get("who") == "the gates"
        and record.get(Kind.APPROVAL) is None
    )


def _watching(record: Record) -> str:
    ticks, found = record.ticks, window(record)
    if record.get(Kind.REPLAY_STOP) is not None:
        return "The window is closed; the gates are judging"
    if found is None:
        return "The window was closed without evidence"
    if not ticks:
        return f"Both variants answer; the warm-up ends at {instant(found['begin'])}"
    last = ticks[-1]
    if last.get("abort"):
        return f"The window was cut short: {last['abort']}"
    extended = f", extended by {span(found['longer'])}" if found["longer"] else ""
    return (
        f"The window is open until {instant(found['end'])}{extended}; after {count(len(ticks))} "
        f"{'look' if len(ticks) == 1 else 'looks'} the evidence for an abort is {evidence(last.get('log_e'))}, where "
        f"{evidence(last.get('bar'))} is enough"
    )


def _sentence(first: str, reason: str) -> str:
    text = f"{first}: {reason}" if first and reason else first or reason
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) or not text else f"{text}."
