"""The task that monitors the window holds no worker while the judge waits."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from include.orchestration import operators
from include.orchestration.operators import MonitorOperator
from include.orchestration.triggers import WaitTrigger
from include.rollout.verdict import Verdict
from include.steps import judge, observe
from include.steps.rollout import Wait


def test_it_defers_while_the_judge_waits_and_asks_again_with_the_same_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wait = Wait(what="captures", every=10, until=datetime(2026, 3, 1, 12, tzinfo=UTC), phase="silent")
    answers: list[Any] = [wait, wait, Verdict.PROMOTE]
    asked: list[Any] = []
    stopped: list[Any] = []

    def take_reading(rollout: Any, closed: Any, waited: Any) -> Any:
        asked.append((closed, waited))
        return answers.pop(0)

    monkeypatch.setattr(operators, "performing", lambda context: nullcontext())
    monkeypatch.setattr(judge, "take_reading", take_reading)
    monkeypatch.setattr(observe, "stop_replay", lambda rollout, why: stopped.append(why))
    task = MonitorOperator(task_id="monitor_window")
    with pytest.raises(TaskDeferred) as first:
        task.closed({}, {"closed": "end"})
    trigger = first.value.trigger
    assert isinstance(trigger, WaitTrigger)
    assert (trigger.endpoint, trigger.every, trigger.until) == ("", 10, wait.until.timestamp())
    assert stopped == []
    arguments = first.value.kwargs
    with pytest.raises(TaskDeferred):
        getattr(task, first.value.method_name)({}, event={"waited": True}, **arguments)
    assert getattr(task, first.value.method_name)({}, event={"waited": True}, **arguments) == "PROMOTE"
    assert asked == [(observe.Closed.END, None), (observe.Closed.END, wait), (observe.Closed.END, wait)]
    assert stopped == [observe.Closed.END]
