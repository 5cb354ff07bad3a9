"""What the pipeline adds to a rollout beyond what the rollout waits for: the window, and SageMaker's deployments.

    python benchmarks/overhead.py [--rollouts 2] [--write]

Starts the local project as `make up` does, in a folder of its own and on free ports, and lets Airflow promote a
healthy candidate on the churn endpoint, one rollout after the other (the first pays for cold caches). Of each:

    total        from the trigger to the end of the run, as Airflow dates them
    deployments  while the endpoint was not InService, looked at five times a second
    window       from its opening to its end and the metrics' lag, as the ledger has it
    overhead     the rest: scheduling, start-up of tasks, judging, looks at what had ended already, the report

For each task, how long it waited for a worker and how long it took, its own waits included. `--write` keeps the
numbers as dated JSON in benchmarks/results/.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
import tempfile
import threading
from datetime import UTC
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from include.rollout.names import rollout_id  # noqa: E402
from quickstart import ports, samples, seed, settings  # noqa: E402
from quickstart.layout import Layout  # noqa: E402
from quickstart.project import Project  # noqa: E402
from quickstart.record import Record  # noqa: E402

DAG = "shadow_rollout"
GOAL = 30.0  # seconds of overhead on a quiet machine
PATIENCE = 300.0  # seconds for one rollout
LOOK = 0.2  # seconds between two looks at the endpoint
OVERRIDES: dict[str, Any] = {
    "candidate": {"environment": {"CANDIDATE": "1"}},
    "replay": {"source": f"s3://{seed.BUCKET}/{seed.REPLAY_KEY}", "rate": 60, "seed": 1},
    "window": {"period": 10, "warm_up": 0, "length": 20, "maximum": 20, "lag": 3, "opening": 120},
    "gates": {
        "rules": [
            {"kind": "completeness"},
            {"kind": "min_sample", "requests": 500},
            {"kind": "error_rate", "absolute": 0.02},
        ]
    },
}


class Deployments:
    """Adds up, in a thread of its own, for how long the endpoint is not InService."""

    def __init__(self, sagemaker: Any) -> None:
        self.seconds = 0.0
        self._sagemaker = sagemaker
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Deployments:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(LOOK):
            if self._sagemaker.describe_endpoint(EndpointName=seed.ENDPOINT)["EndpointStatus"] != "InService":
                self.seconds += LOOK


def measure(running: Project, ledger: str) -> dict[str, Any]:
    """Let one rollout be promoted and account for its time; RuntimeError if it ended otherwise."""
    api = running.airflow.client()
    with Deployments(running.cloud.client("sagemaker")) as deployments:
        run = api.trigger(DAG, {"spec": "churn_healthy", "overrides": OVERRIDES})
        api.wait_for_run(DAG, run, timeout=PATIENCE)
    record = Record(running.cloud.client("s3"), ledger, rollout_id(DAG, run))
    record.refresh()
    outcome = record.get("outcome") or {}
    if outcome.get("end") != "PROMOTED":
        raise RuntimeError(f"the rollout was to be promoted and ended {outcome}: {api.states(DAG, run)}")
    about = api.run(DAG, run)
    total = _seconds(about["queued_at"], about["end_date"])
    window = (record.get("window") or {}) | {"lag": OVERRIDES["window"]["lag"]}
    waited = _seconds(window["opened"], window["end"]) + window["lag"]
    tasks = {
        task["task_id"]: {
            "queued_s": _queued(task),
            "took_s": round(_seconds(task["start_date"], task["end_date"]), 1),
        }
        for task in sorted(api.task_instances(DAG, run), key=lambda task: task["start_date"] or "")
        if task["queued_when"] and task["start_date"] and task["end_date"]
    }
    return {
        "total_s": round(total, 1),
        "deployments_s": round(deployments.seconds, 1),
        "window_s": round(waited, 1),
        "overhead_s": round(total - deployments.seconds - waited, 1),
        "tasks": tasks,
        "phases_s": dict(record.phases),
    }


def main() -> None:
    """Start the project, measure, stop it, print and, if asked to, keep the numbers."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    arguments.add_argument("--rollouts", type=int, default=2)
    arguments.add_argument("--write", action="store_true")
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="penumbra-overhead-") as folder:
        where = Layout(home=Path(folder))
        running = Project.at(where, ports.any_free())
        ledger = settings.load(where.project / "airflow_settings.yaml").variables["penumbra_ledger"]
        try:
            running.cloud.start()
            seed.seed(running.cloud, samples.prepare(where.samples))
            running.airflow.start()
            running.unpause()
            load = os.getloadavg()[0]
            found = [measure(running, ledger) for _ in range(asked.rollouts)]
        finally:
            running.roster.stop()
    for each in found:
        print(
            f"total {each['total_s']} s = deployments {each['deployments_s']} + window {each['window_s']}"
            f" + overhead {each['overhead_s']} (goal on a quiet machine: {GOAL:g})"
        )
        for task, spent in each["tasks"].items():
            queued = "" if spent["queued_s"] is None else f", after {spent['queued_s']:.1f} s in the queue"
            print(f"  {task:16} took {spent['took_s']:5.1f} s{queued}")
    if asked.write:
        keep(found, load)


def keep(found: list[dict[str, Any]], load: float) -> None:
    """Write the numbers beside the date, the machine and how busy it was."""
    today = datetime.datetime.now(UTC).date().isoformat()
    path = ROOT / "benchmarks" / "results" / f"overhead-{today}.json"
    machine = {
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_before": round(load, 1),
        "load_after": round(os.getloadavg()[0], 1),
    }
    document = {"date": today, "machine": machine, "goal_s": GOAL, "rollouts": found}
    path.write_text(json.dumps(document, indent=1) + "\n")
    print(f"kept in {path.relative_to(ROOT)}")


def _queued(task: dict[str, Any]) -> float | None:
    """Return how long a task waited for a worker; None where it deferred: Airflow then dates its last start anew."""
    waited = _seconds(task["queued_when"], task["start_date"])
    return round(waited, 1) if waited >= 0 else None


def _seconds(begin: str, end: str) -> float:
    return (datetime.datetime.fromisoformat(end) - datetime.datetime.fromisoformat(begin)).total_seconds()


if __name__ == "__main__":
    main()
