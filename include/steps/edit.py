"""Edit a managed test while it runs, as a person asks, and notice what somebody did to it elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from include.aws import experiments
from include.ledger.objects import Kind, deployment_key, test_key
from include.rollout.errors import CloudError, RefusedError
from include.rollout.evidence import Resampling
from include.rollout.experiment import Edit, Terms, impossible, needed_until
from include.rollout.names import moment, timestamp
from include.rollout.spec import LONGEST_TEST
from include.rollout.stage import Stage
from include.rollout.verdict import Conclusion
from include.steps.experiment import find, is_managed
from include.steps.rollout import Rollout
from include.steps.wishes import asked_extension, concluded, wishes

_ROLLOUT = "the rollout"
_OUTSIDE = "somebody outside the rollout"
_SCHEDULE = "the test's schedule"
_WRITTEN = "%Y-%m-%d %H:%M:%S"
_SECOND = timedelta(seconds=1)  # the service tells its time in whole ones


def wanted_edit(rollout: Rollout, edit: Edit) -> dict[str, Any]:
    """Return what is recorded of a person's edit; RefusedError, in one sentence, for one that cannot be.

    Asking for what is there already is refused too: nothing would tell when it was done.
    """
    found = _running(rollout)
    needed = _needed(rollout, longer=asked_extension(rollout))
    why = impossible(edit, start=found.start, needed=needed, now=found.seen)
    if why is not None:
        raise RefusedError(f"the managed test {found.name} cannot be edited: {why}.")
    terms = _agreed(rollout, _terms(found))
    if terms.edited(edit) == terms:
        raise RefusedError(
            f"the managed test {found.name} copies {terms.sampling:.0%} of the requests and ends at {terms.end:{_WRITTEN}} "
            "UTC already, or was asked to; give another sampling or another end."
        )
    return _document(edit)


def extended_end(rollout: Rollout, seconds: int) -> dict[str, Any]:
    """Return what is recorded beside an extension by `seconds`: the test's new end, where the window would outlast it.

    RefusedError where SageMaker would end the test all the same.
    """
    found = find(rollout)
    if found is None or found.is_ending:
        return _document(Edit())  # one that is still to start is scheduled for every extension
    needed = _needed(rollout, longer=asked_extension(rollout) + seconds)
    if needed <= _agreed(rollout, _terms(found)).end:
        return _document(Edit())
    last = found.start + timedelta(seconds=LONGEST_TEST)
    if needed > last:
        raise RefusedError(
            f"the window cannot be extended by {seconds} s: the managed test {found.name} would have to last until "
            f"{needed:{_WRITTEN}} UTC, and SageMaker ends it 30 days after its start, at {last:{_WRITTEN}} UTC; extend by "
            f"{(needed - last).total_seconds():.0f} s less, or end the rollout with remove or promote."
        )
    return _document(Edit(end=needed))


def attend(rollout: Rollout) -> tuple[str, ...]:
    """Note what the test copies and when it ends, if that is new, and ask for the next edit that a person wants.

    What SageMaker says counts, whoever brought it about: an edit that nobody asked the rollout for is noted as
    somebody else's and left alone, and one that SageMaker refuses is noted and not asked for again. A test that was
    stopped is recorded as that person's word to remove the shadow. Re-entrant: all memory is in the ledger. Returns
    lines for the log.
    """
    found = find(rollout)
    if found is None:
        return ()
    if found.is_ending:
        _notice_stop(rollout, found)
    if found.status != "Running":  # while it is Updating nothing tells what counts
        return ()
    lines = [line for note in _notice(rollout, found) for line in _told(rollout, note)]
    asked = next(_unanswered(rollout), None)
    if asked is None or concluded(rollout) is not None:
        return tuple(lines)
    key, said = asked
    terms = _terms(found).edited(_edit(said))
    rollout.leases.check(rollout.lease())
    try:
        experiments.update(rollout.clients, found, sampling=terms.sampling, end=terms.end)
    except CloudError as error:
        if error.transient:
            raise
        note = _write(rollout, _terms(found), who="SageMaker", request=key, refused=str(error), found=found)
        return (*lines, *_told(rollout, note))
    return (
        *lines,
        f"{said['who']} edits the managed test: {terms.sampling:.0%} copied, end {terms.end:{_WRITTEN}} UTC",
    )


def resamplings(rollout: Rollout) -> tuple[Resampling, ...]:
    """Return how the sampling changed since the test began, with what is still under way."""
    if not is_managed(rollout):
        return ()
    changes: list[Resampling] = []
    share = rollout.spec.sampling
    for note in _notes(rollout):
        if note["sampling"] != share:
            share = note["sampling"]
            changes.append(Resampling(after=moment(note["after"]), by=moment(note["by"]), sampling=share))
    for _, said in _unanswered(rollout):
        wanted = _edit(said).sampling
        if wanted is not None and wanted != share:
            share = wanted
            changes.append(Resampling(after=moment(said["written_at"]), by=None, sampling=share))
    found = find(rollout)
    if found is not None and found.sampling != share and not (changes and changes[-1].by is None):
        changes.append(Resampling(after=_looked(rollout), by=None, sampling=found.sampling))
    return tuple(changes)


def least_sampling(rollout: Rollout) -> float:
    """Return the smallest share that was ever copied to the shadow, or may have been."""
    return min([rollout.spec.sampling, *(change.sampling for change in resamplings(rollout))])


def _running(rollout: Rollout) -> experiments.Experiment:
    if not is_managed(rollout):
        raise RefusedError(
            f"rollout {rollout.id} has strategy self_service: its shadow is part of an endpoint config, and changing that "
            "replaces both fleets; start a new rollout with another sampling, or take strategy managed, whose test can be "
            "edited while it runs."
        )
    found = find(rollout)
    if found is None or found.status not in {"Running", "Updating"}:
        raise RefusedError(
            f"the managed test of rollout {rollout.id} is {found.status if found else 'not started'}; only one that is "
            "Running can be edited, so wait until it is, or start a new rollout."
        )
    return found


def _needed(rollout: Rollout, *, longer: int) -> datetime:
    opened = rollout.ledger.read(Kind.WINDOW)
    if opened is not None:
        return needed_until(rollout.spec, opened=moment(opened["opened"]), longer=longer)
    latest = rollout.now() + timedelta(seconds=rollout.spec.window.opening)
    return needed_until(rollout.spec, opened=latest, longer=longer)


def _document(edit: Edit) -> dict[str, Any]:
    return {"sampling": edit.sampling, "end": None if edit.end is None else timestamp(edit.end)}


def _edit(said: Mapping[str, Any]) -> Edit:
    end = said.get("end")
    return Edit(sampling=said.get("sampling"), end=None if end is None else moment(end))


def _terms(found: experiments.Experiment) -> Terms:
    return Terms(sampling=found.sampling, end=found.end)


def _agreed(rollout: Rollout, terms: Terms) -> Terms:
    """Return the terms once everything that people asked for is done."""
    for _, said in _unanswered(rollout):
        terms = terms.edited(_edit(said))
    return terms


def _notes(rollout: Rollout) -> list[dict[str, Any]]:
    return list(rollout.ledger.read_many(rollout.ledger.keys(f"{Kind.TEST}/")).values())


def _unanswered(rollout: Rollout) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the edits that people asked for and nothing was noted of yet, in their order."""
    answered = {note["request"] for note in _notes(rollout)}
    for key, said in wishes(rollout).items():
        if key not in answered and _edit(said) != Edit():
            yield key, said


def _notice(rollout: Rollout, found: experiments.Experiment) -> Iterator[dict[str, Any]]:
    """Note each change since the last note; give the notes that are about one."""
    notes, now = _notes(rollout), _terms(found)
    if not notes:
        began = Terms(sampling=rollout.spec.sampling, end=found.end)
        notes = [_write(rollout, began, who=_ROLLOUT, found=found)]
    was = Terms(sampling=notes[-1]["sampling"], end=moment(notes[-1]["end"]))
    asked = next(_unanswered(rollout), None)
    edit = Edit() if asked is None else _edit(asked[1])
    done = asked is not None and now.edited(edit) == now
    others = now.unedited(edit, was) if done else now
    if others != was:
        yield _write(rollout, others, was=was, who=_OUTSIDE, found=found)
    if done and asked is not None:
        key, said = asked
        yield _write(
            rollout, now, was=others, who=said["who"], why=said["why"], request=key, found=found, said=said
        )


def _write(
    rollout: Rollout,
    terms: Terms,
    *,
    who: str,
    found: experiments.Experiment,
    was: Terms | None = None,
    why: str = "",
    request: str | None = None,
    refused: str | None = None,
    said: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write the next note: the terms, and between which moments they came into force.

    A change that was asked for came after it was asked for, any other after the last look that was recorded.
    """
    before = _notes(rollout)
    after = moment(said["written_at"]) if said is not None else _looked(rollout)
    if before:
        after = max(after, moment(before[-1]["after"]))
    by = max(after, found.seen + _SECOND)
    return rollout.write(
        test_key(len(before) + 1),
        {
            "sampling": terms.sampling,
            "end": timestamp(terms.end),
            "was": None if was is None else {"sampling": was.sampling, "end": timestamp(was.end)},
            "who": who,
            "why": why,
            "request": request,
            "refused": refused,
            "after": timestamp(after),
            "by": timestamp(by),
        },
    )


def _looked(rollout: Rollout) -> datetime:
    """Return a moment before the last look that was recorded: then the test still was as it was noted."""
    keys = rollout.ledger.keys(f"{Kind.TICK}/")
    if keys:
        return moment(keys[-1].removeprefix(f"{Kind.TICK}/"))
    deployed = rollout.ledger.read(deployment_key(Stage.SHADOW))
    return moment((deployed or rollout.ledger.require(Kind.BASELINE))["written_at"])


def _told(rollout: Rollout, note: Mapping[str, Any]) -> Iterator[str]:
    """Say a note in lines for the log; a warning where the test would end before the rollout is through."""
    if note["refused"] is not None:
        yield f"the managed test stays as it is: {note['refused']}"
        return
    was, end = note["was"], moment(note["end"])
    if was["sampling"] != note["sampling"]:
        yield f"{note['who']} changed the sampling from {was['sampling']:.0%} to {note['sampling']:.0%}"
    if was["end"] != note["end"]:
        yield f"{note['who']} moved the managed test's end from {moment(was['end']):{_WRITTEN}} to {end:{_WRITTEN}} UTC"
        needed = _needed(rollout, longer=asked_extension(rollout))
        if end < needed:
            yield (
                f"WARNING: the managed test may end before the rollout is through, at {needed:{_WRITTEN}} UTC at the latest, "
                "and would be rolled back then; move its end with `conclude … edit --end`"
            )


def _notice_stop(rollout: Rollout, found: experiments.Experiment) -> None:
    """Record it as a word to remove the shadow when the test ended, and nobody of the rollout had asked for that."""
    if concluded(rollout) is not None:
        return
    due = any(found.seen >= moment(note["end"]) for note in _notes(rollout)[-1:])
    document = {
        "action": Conclusion.REMOVE.value,
        "who": _SCHEDULE if due else _OUTSIDE,
        "why": f"the managed test {found.name} is {found.status}: {found.reason or 'no reason given'}",
        "seconds": 0,
    }
    rollout.ledger.append(Kind.CONCLUDE, document, at=rollout.now())
