"""The rollout's graph."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]

SHOW = """
import json, sys
sys.path.insert(0, "dags")
from shadow_rollout import dag
print(json.dumps({t.task_id: sorted(t.downstream_task_ids) for t in dag.tasks}))
from airflow.serialization.serialized_objects import DagSerialization
stored = [t["__var"] for t in DagSerialization.to_dict(dag)["dag"]["tasks"]]
print(json.dumps([t["task_id"] for t in stored if "Rollout report" in t.get("_operator_extra_links", {})]))
print(json.dumps([[t.task_id, t.is_setup, t.is_teardown, getattr(t, "on_failure_fail_dagrun", False), t.retries] for t in dag.tasks]))
"""


def graph(tmp_path: Path) -> tuple[dict[str, list[str]], list[str], list[list[object]]]:
    import json

    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "AIRFLOW_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", SHOW],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    edges, linked, roles = done.stdout.splitlines()[-3:]
    return json.loads(edges), json.loads(linked), json.loads(roles)


def test_the_graph_is_the_designs(tmp_path: Path) -> None:
    """settle is a teardown behind everything, and gives the run its colour."""
    edges, _, roles = graph(tmp_path)
    assert edges["open"] == ["register", "replay", "settle"]  # the replay maps over what open returns
    assert edges["register"] == ["deploy_shadow"]
    assert edges["deploy_shadow"] == ["monitor_window", "replay"]
    assert edges["monitor_window"] == edges["replay"] == ["evaluate_gates"]
    assert edges["evaluate_gates"] == ["decide"]
    assert edges["decide"] == ["approve", "promote", "rollback"]
    assert edges["approve"] == ["promote", "rollback"]
    assert edges["promote"] == ["watch"]
    assert edges["watch"] == edges["rollback"] == ["settle"]
    setups = [name for name, setup, *_ in roles if setup]
    teardowns = [(name, fails) for name, _, teardown, fails, _ in roles if teardown]
    assert setups == ["open"]
    assert teardowns == [("settle", True)]


def test_only_settling_is_retried(tmp_path: Path) -> None:
    """A killed task crashes the rollout; only the way back is tried again."""
    _, _, roles = graph(tmp_path)
    assert {name for name, *_, retries in roles if retries} == {"settle"}


def test_the_tasks_that_decide_act_and_wait_lead_to_the_rollouts_page(tmp_path: Path) -> None:
    """As the scheduler stores them, which is what the UI shows."""
    _, linked, _ = graph(tmp_path)
    assert {"decide", "monitor_window", "approve", "promote", "rollback", "settle"} <= set(linked)
