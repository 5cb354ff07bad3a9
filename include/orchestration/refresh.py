"""Recurring refreshes: which specs have a schedule, and the task that looks for the next candidate."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import CronTriggerTimetable, get_current_context

from include.orchestration.asking import ASKED_BY, asking
from include.orchestration.connection import clients_of, ledger_place, owner_is_over_here, store_of
from include.rollout.names import rollout_id

log = logging.getLogger("penumbra")

_SPECS = Path(__file__).resolve().parent.parent / "specs"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")  # what a DAG id and a run id may hold


@dataclass(frozen=True, kw_only=True)
class Refresh:
    """A spec that asks to be refreshed: its name, how a rollout names its file, and when to look."""

    name: str
    spec: str
    schedule: CronTriggerTimetable


class StartRolloutOperator(TriggerDagRunOperator):
    """Starts the rollout that the task `found` proposed; skipped when a run of that id exists, which is that rollout."""

    def __init__(self, *, found: str, **arguments: Any) -> None:
        proposed = f"ti.xcom_pull(task_ids='{found}')"
        super().__init__(
            trigger_dag_id="shadow_rollout",
            trigger_run_id=f"{{{{ {proposed}['run_id'] }}}}",
            conf=f"{{{{ {proposed}['conf'] | tojson }}}}",  # the operator reads text as JSON
            logical_date=None,  # the run id alone says which rollout it is
            skip_when_already_exists=True,
            fail_when_dag_is_paused=True,
            openlineage_inject_parent_info=False,
            **arguments,
        )


def scheduled(folder: Path) -> Iterator[Refresh]:
    """Yield the specs of a folder that have a schedule; one that cannot be read is logged and left out.

    Runs whenever the DAG file is parsed: only files that speak of a refresh are read as YAML, nothing is validated
    beyond the schedule, and nothing raises, so that one bad file never takes the other refreshes away.
    """
    for file in sorted(folder.glob("*.yaml")):
        try:
            text = file.read_text(encoding="utf-8")
            found = _schedule(text) if "refresh" in text else None
            if found is None:
                continue
            if not _NAME.fullmatch(file.stem):
                raise ValueError("its name may hold letters, digits, _, . and - only")
            timetable = CronTriggerTimetable(found, timezone="UTC")
            timetable.validate()
        except Exception as error:
            log.warning("%s has no refresh until it is mended: %s", file, error)
            continue
        named = file.stem if file.resolve().parent == _SPECS else str(file)
        yield Refresh(name=file.stem, spec=named, schedule=timetable)


def find_candidate(spec: str) -> dict[str, Any] | None:
    """Look for the next candidate; return the rollout to start, or None, the reason being in the log."""
    from include.rollout.spec import parse
    from include.steps.refresh import Nothing, Search
    from include.steps.refresh import find_candidate as step
    from include.steps.specs import load

    context: Any = get_current_context()
    run = context["dag_run"]
    parsed = parse(load(spec), spec)
    search = Search(
        name=spec,
        spec=parsed,
        clients=clients_of(parsed.connection),
        store=store_of(*ledger_place()),
        owner_is_over=owner_is_over_here,
        again=rollout_id(run.dag_id, run.run_id) if context["params"].get("again") else "",
    )
    found = step(search)
    if isinstance(found, Nothing):
        log.info("[refresh %s] nothing to start: %s", spec, found.why)
        return None
    log.info("[refresh %s] %s; its rollout is run %s", spec, found.why, found.run_id)
    conf = {"spec": spec, "overrides": dict(found.overrides), ASKED_BY: asking(run)}
    return {"run_id": found.run_id, "conf": conf}


def _schedule(text: str) -> str | None:
    document = yaml.safe_load(text)
    section = document.get("refresh") if isinstance(document, dict) else None
    if section is None:
        return None
    schedule = section.get("schedule") if isinstance(section, dict) else None
    if not isinstance(schedule, str):
        raise ValueError("refresh.schedule is missing or no text; give five cron fields or e.g. '@daily'")
    return schedule
