"""Plain functions that become tasks: each calls one step."""

from __future__ import annotations

from typing import Any

from airflow.sdk import get_current_context

from include.orchestration.connection import another_rollout, performing, task_died
from include.orchestration.links import ROLLOUT_URL
from include.rollout.names import page_url


def register() -> str:
    """Register the candidate; returns its model's name."""
    from include.steps.register import register as step

    with performing(get_current_context()) as rollout:
        return str(step(rollout)["model"])


def replay(shard: int) -> dict[str, Any]:
    """Send one shard of the recorded requests until the window closes; returns how many ended how."""
    from include.steps.replay import counts
    from include.steps.replay import replay_shard as step

    context: Any = get_current_context()
    context["shard"] = shard  # for the map index template
    with performing(context) as rollout:
        return counts(step(rollout, shard, unwatched=lambda: task_died(context["dag_run"], "monitor_window")))


def evaluate_gates() -> str:
    """Fold the findings of the last reading into the verdict."""
    from include.steps.judge import settle_verdict as step

    with performing(get_current_context()) as rollout:
        return str(step(rollout)["verdict"])


def decide() -> str:
    """Decide, and name the task that comes next: promote, approve or rollback."""
    from include.steps.decide import course as step

    context: Any = get_current_context()
    with performing(context) as rollout:
        context["ti"].xcom_push(key=ROLLOUT_URL, value=page_url(rollout.run.airflow, rollout.id))
        return step(rollout).value


def conclude() -> str:
    """Record a person's word on a running rollout; returns the name of what was written."""
    from include.rollout.experiment import Edit
    from include.rollout.verdict import Conclusion
    from include.steps.conclude import conclude as step

    context: Any = get_current_context()
    given, who = context["params"], getattr(context["dag_run"], "triggering_user_name", None)
    rollout, action = another_rollout("shadow_rollout", given["rollout"]), Conclusion(given["action"])
    return step(
        rollout,
        action,
        who=who or "an unnamed user",
        why=given["why"],
        seconds=given["seconds"],
        edit=Edit.of(given["sampling"], given["end"]),
    )
