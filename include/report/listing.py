"""The list of rollouts: runs to come, running rollouts, and finished ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from include.ledger.reader import Entry, Record
from include.report import numbers
from include.report.headline import RUN_OVER, Headline, Tone, brief, endpoint_of, headline, lost
from include.report.rendering import Links, render
from include.rollout.names import moment, timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the list: a rollout, its endpoint, and where it stands."""

    rollout_id: str
    endpoint: str
    spec: str
    asked_by: str
    run_id: str
    opened: str
    took: str
    state: Headline


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """A run that has not opened its rollout yet: queued or scheduled in Airflow."""

    dag_id: str
    what: str
    when: str


def list_page(
    entries: Sequence[Line],
    *,
    links: Links,
    coming: Sequence[Coming] = (),
    after: str = "",
    older: str = "",
    note: str = "",
) -> str:
    """Render the list: runs to come, running rollouts, and finished ones.

    `after` is the cursor that this page of the list begins behind, `older` that of the next page.
    """
    running = [line for line in entries if line.state.tone is Tone.LIVE]
    return render(
        "list.html",
        links,
        running=running,
        finished=[line for line in entries if line.state.tone is not Tone.LIVE],
        coming=coming,
        after=after,
        older=older,
        note=note,
    )


def line_of(entry: Entry, record: Record | None, *, run_state: str | None = None) -> Line:
    """Return an entry's line; `record`, or as much of it as is at hand, tells endpoint and what is being done.

    `run_state` is the DAG run's in Airflow: without an outcome and with its run over, the rollout is lost.
    """
    outcome = entry.outcome
    ended = outcome.get("written_at") if outcome is not None else None
    if outcome is not None:
        state = brief(outcome)
    elif run_state in RUN_OVER:
        state = lost(str(run_state))
    elif record is not None:
        state = headline(record)
    else:
        state = Headline(word="RUNNING", tone=Tone.LIVE, sentence="")
    took = (moment(str(ended)) - entry.opened).total_seconds() if ended else None
    return Line(
        rollout_id=entry.rollout_id,
        endpoint=endpoint_of(record) if record is not None else "",
        spec=str(entry.about.get("spec", "")),
        asked_by=str(entry.about.get("asked_by", "")),
        run_id=str(entry.about.get("run_id", "")),
        opened=timestamp(entry.opened),
        took=numbers.span(took),
        state=state,
    )
