"""Who asks for a rollout: the person who triggered its run, or what the DAG that did says of itself."""

from __future__ import annotations

from typing import Any

ASKED_BY = "asked_by"  # in a run's conf, beside the form


def asking(run: Any) -> str:
    """Say for whom this run asks for a rollout: its schedule, or the person who triggered it; with the run's id."""
    person = getattr(run, "triggering_user_name", None)
    who = f"{person}, through {run.dag_id}" if person else f"the schedule of {run.dag_id}"
    return f"{who} (run {run.run_id})"


def who_asked(run: Any) -> str:
    """Name who asked for this run; a conf is believed only where no person triggered it, who could have written it."""
    person = getattr(run, "triggering_user_name", None)
    return str(person or (run.conf or {}).get(ASKED_BY) or "a schedule")
