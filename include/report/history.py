"""What happened, in order: who did what, when, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from include.ledger.objects import Kind, deployment_key, held_key, reverted_key, watched_key, withdrawn_key
from include.ledger.reader import Document, Record
from include.report.numbers import instant, percent, span
from include.rollout.names import moment
from include.rollout.verdict import Action

_ROLLOUT = "the rollout"
_OWN_ENDPOINT = {
    "created.begun": "began to create the endpoint",
    "created": "created the endpoint, with production alone",
    "removed.begun": "began to remove the endpoint that it had created",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened; `when` is the service's time in the ledger's own writing."""

    when: str
    who: str
    what: str
    why: str = ""


def history(record: Record) -> list[Event]:
    """Return the events that the ledger tells, in the order in which they were written."""
    found = [
        (moment(event.when), _rank(key), key, event)
        for key, document in record.objects.items()
        for event in _events(record, key, document)
    ]
    return [event for *_, event in sorted(found, key=lambda entry: entry[:3])]


def _rank(key: str) -> int:
    """Put causes before effects: the service's clock tells seconds, in which several things may happen."""
    if key in _ORDER:
        return _ORDER.index(key)
    return _ORDER.index(key.partition("/")[0])


def _events(record: Record, key: str, document: Document) -> Iterator[Event]:
    kind, _, tail = key.partition("/")
    teller = _TELLERS.get(kind)
    when = document.get("written_at")
    if teller is None or when is None:
        return
    for who, what, why in teller(record, tail, document):
        yield Event(when=str(when), who=who, what=what, why=why)


_Told = Iterator[tuple[str, str, str]]


def _text(document: Document, *names: str) -> str:
    return next((str(document[name]) for name in names if document.get(name)), "")


def _open(record: Record, tail: str, document: Document) -> _Told:
    yield _text(document, "asked_by") or "a schedule", f"asked for the rollout {document.get('spec')}", ""


def _baseline(record: Record, tail: str, document: Document) -> _Told:
    yield (
        _ROLLOUT,
        f"took the lease on endpoint {document.get('endpoint')}, which serves {document.get('config_name')}",
        "",
    )


def _candidate(record: Record, tail: str, document: Document) -> _Told:
    verb = "registered" if document.get("registered") else "took"
    yield _ROLLOUT, f"{verb} the candidate, model {document.get('model')}", ""


def _deployment(record: Record, tail: str, document: Document) -> _Told:
    if f"{Kind.DEPLOYMENT}/{tail}" == reverted_key():
        yield "the guardrails", "took the promotion back", _text(document, "reason")
        return
    if f"{Kind.DEPLOYMENT}/{tail}" == held_key():
        yield _ROLLOUT, f"waits for a promotion window, until {instant(document.get('opens'))}", ""
        return
    if f"{Kind.DEPLOYMENT}/{tail}" == withdrawn_key():
        yield _text(document, "who") or "a person", "called the promotion off", _text(document, "why")
        return
    if tail in _OWN_ENDPOINT:
        yield _ROLLOUT, _OWN_ENDPOINT[tail], ""
        return
    stage, _, begun = tail.partition(".")
    if begun not in ("", "begun"):
        return  # a note for the steps: what SageMaker took up, or named
    target = {
        "shadow": "the shadow beside production",
        "promoted": "the candidate in production's place",
        "baseline": "the endpoint as it was before",
    }
    yield _ROLLOUT, f"{'began to deploy' if begun else 'deployed'} {target.get(stage, stage)}", ""


def _window(record: Record, tail: str, document: Document) -> _Told:
    if document.get("closed"):
        yield (
            _ROLLOUT,
            "closed the window before it opened",
            str(document["closed"]).replace("_", " "),
        )
    else:
        yield (
            _ROLLOUT,
            f"saw both variants answer; watches from {instant(document.get('begin'))} to {instant(document.get('end'))}",
            "",
        )


def _extension(record: Record, tail: str, document: Document) -> _Told:
    who = _text(document, "who") or _ROLLOUT
    yield who, f"extended the window by {span(document.get('seconds'))}", _text(document, "why")


def _finding(record: Record, tail: str, document: Document) -> _Told:
    ended = {
        "abort": "on evidence against the candidate",
        "end": "at its end",
        "no_traffic": "without traffic",
        "concluded": "because a person asked for it",
        "budget": "because the budget was spent",
    }
    closed = str(document.get("closed", ""))
    yield (
        "the gates",
        f"judged {document.get('verdict')} in reading {document.get('reading')}",
        f"the window closed {ended.get(closed, closed)}",
    )


def _conclude(record: Record, tail: str, document: Document) -> _Told:
    asked = _text(document, "action").replace("_", " ")
    if document.get("seconds"):
        asked += f" by {span(document['seconds'])}"
    if document.get("sampling") is not None:
        asked += f" the sampling to {percent(document['sampling'])}"
    if document.get("end") is not None:
        asked += f"{' and' if document.get('sampling') is not None else ''} the test's end to {instant(document['end'])}"
    yield _text(document, "who") or "a person", f"asked to {asked}", _text(document, "why")


def _test(record: Record, tail: str, document: Document) -> _Told:
    who, was = _text(document, "who") or "somebody", document.get("was")
    if document.get("refused"):
        yield who, "refused to edit the managed test", _text(document, "refused")
    elif was is None:
        begun = f"began the managed test with {percent(document.get('sampling'))} copied, until {instant(document.get('end'))}"
        yield who, begun, ""
    else:
        changes = []
        if was.get("sampling") != document.get("sampling"):
            changes.append(
                f"the sampling from {percent(was.get('sampling'))} to {percent(document.get('sampling'))}"
            )
        if was.get("end") != document.get("end"):
            changes.append(f"the test's end from {instant(was.get('end'))} to {instant(document.get('end'))}")
        yield who, f"changed {' and '.join(changes) or 'nothing'}", _text(document, "why")


def _decision(record: Record, tail: str, document: Document) -> _Told:
    verb = "promote" if document.get("action") == Action.PROMOTE else "roll back"
    yield _text(document, "who") or "the gates", f"decided to {verb}", _text(document, "why")


def _approval(record: Record, tail: str, document: Document) -> _Told:
    said = "approved the promotion" if document.get("approved") else "did not approve the promotion"
    yield _text(document, "who") or "a person", said, _text(document, "why")


def _promotion(record: Record, tail: str, document: Document) -> _Told:
    yield _ROLLOUT, f"promoted model {document.get('model')} with {document.get('config')}", ""


def _watch(record: Record, tail: str, document: Document) -> _Told:
    if f"{Kind.WATCH}/{tail}" == watched_key():
        kept = document.get("closed") == "end"
        verb = "kept the promoted candidate" if kept else "took the promotion back"
        yield _text(document, "who") or "the watch", verb, _text(document, "why")


def _restore(record: Record, tail: str, document: Document) -> _Told:
    yield _ROLLOUT, f"restored endpoint config {document.get('config')}", ""


def _foreign(record: Record, tail: str, document: Document) -> _Told:
    yield "somebody else", "changed the endpoint", _text(document, "reason")


def _failure(record: Record, tail: str, document: Document) -> _Told:
    yield f"task {document.get('task', tail)}", "failed", _text(document, "reason")


def _cleanup(record: Record, tail: str, document: Document) -> _Told:
    deleted = [str(name) for name in document.get("deleted") or ()]
    yield _ROLLOUT, f"deleted {', '.join(deleted)}" if deleted else "found nothing of its own to delete", ""


def _outcome(record: Record, tail: str, document: Document) -> _Told:
    yield _ROLLOUT, f"ended {document.get('end')}", _text(document, "reason")


_TELLERS: dict[str, Callable[[Record, str, Document], _Told]] = {
    Kind.OPEN: _open,
    Kind.BASELINE: _baseline,
    Kind.CANDIDATE: _candidate,
    Kind.DEPLOYMENT: _deployment,
    Kind.WINDOW: _window,
    Kind.EXTENSION: _extension,
    Kind.FINDING: _finding,
    Kind.CONCLUDE: _conclude,
    Kind.TEST: _test,
    Kind.DECISION: _decision,
    Kind.APPROVAL: _approval,
    Kind.PROMOTION: _promotion,
    Kind.WATCH: _watch,
    Kind.RESTORE: _restore,
    Kind.FOREIGN: _foreign,
    Kind.FAILURE: _failure,
    Kind.CLEANUP: _cleanup,
    Kind.OUTCOME: _outcome,
}

_ORDER = [str(kind) for kind in _TELLERS]
_ORDER[_ORDER.index(Kind.WINDOW) : _ORDER.index(Kind.WINDOW)] = [
    deployment_key("shadow.begun"),
    deployment_key("shadow"),
]
_ORDER[_ORDER.index(Kind.PROMOTION) : _ORDER.index(Kind.PROMOTION)] = [
    deployment_key("baseline.begun"),
    deployment_key("baseline"),
    held_key(),
    withdrawn_key(),
    deployment_key("promoted.begun"),
]
