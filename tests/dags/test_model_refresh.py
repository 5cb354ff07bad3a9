"""The generated DAGs: one for each spec with a schedule, and none lost to a bad neighbour."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]

SHOW = """
import json, sys
sys.path.insert(0, sys.argv[1])
from model_refresh import DAGS
print(json.dumps({d.dag_id: {
    "schedule": d.schedule.expression, "catchup": d.catchup, "paused": d.is_paused_upon_creation,
    "at_once": d.max_active_runs, "params": d.params.dump(),
    "edges": {t.task_id: sorted(t.downstream_task_ids) for t in d.tasks},
    "spec": list(d.get_task("find_candidate").op_args),
    "skips": d.get_task("start_rollout").skip_when_already_exists,
    "starts": d.get_task("start_rollout").trigger_dag_id,
} for d in DAGS}))
"""


def generated(project: Path, home: Path) -> dict[str, dict[str, Any]]:
    """Parse the DAG file of a project in a process of its own and describe what it generates."""
    done = subprocess.run(
        [sys.executable, "-c", SHOW, str(project / "dags")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT), "AIRFLOW_HOME": str(home)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_spec_with_a_schedule_has_a_dag_that_starts_paused(tmp_path: Path) -> None:
    found = generated(PROJECT, tmp_path)
    assert list(found) == ["model_refresh__churn_refresh"]
    dag = found["model_refresh__churn_refresh"]
    assert dag == {
        "schedule": "0 0 * * *",
        "catchup": False,
        "paused": True,
        "at_once": 1,
        "params": {"again": False},
        "edges": {"find_candidate": ["start_rollout"], "start_rollout": []},
        "spec": ["churn_refresh"],
        "skips": True,
        "starts": "shadow_rollout",
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a project with this DAG file and no specs yet."""
    (tmp_path / "dags").mkdir()
    (tmp_path / "include" / "specs").mkdir(parents=True)
    (tmp_path / "dags" / "model_refresh.py").symlink_to(PROJECT / "dags" / "model_refresh.py")
    return tmp_path


def test_malformed_specs_are_left_out_and_the_others_stay(project: Path, tmp_path: Path) -> None:
    specs = project / "include" / "specs"
    good = "refresh: {schedule: '30 4 * * 1-5', artifacts: 's3://bucket/models/'}\n"
    for name, text in {
        "good": good,
        "no refresh": "endpoint: {name: x}\n",
        "not_yaml": "refresh: [\n",
        "a_list": "- refresh\n",
        "no_mapping": "refresh: daily\n",
        "no_schedule": "refresh: {artifacts: s3://bucket/}\n",
        "a_number": "refresh: {schedule: 5}\n",
        "never": "refresh: {schedule: '99 99 * * *'}\n",
        "a name with spaces": good,
    }.items():
        (specs / f"{name}.yaml").write_text(text)
    (specs / "bytes.yaml").write_bytes(b"refresh: \xff\xfe")
    (specs / "gone.yaml").symlink_to(specs / "nowhere")
    found = generated(project, tmp_path)
    assert {dag_id: dag["schedule"] for dag_id, dag in found.items()} == {
        "model_refresh__good": "30 4 * * 1-5"
    }
    assert found["model_refresh__good"]["spec"] == [str(specs / "good.yaml")]
