"""Airflow's REST API as the demonstration and the tests use it: what its UI would send, and nothing else."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

Json = dict[str, Any]
Answer = TypeVar("Answer")
_LOCKED_TRIES = 20  # half a second apart: many runs that start at once can hold SQLite for some seconds
TERMINAL = frozenset({"success", "failed"})  # of a run


class ApiError(Exception):
    """Airflow refused a request, or could not be reached (status 0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class AirflowClient:
    """One user of one Airflow. A token is asked for when needed and again when it has expired."""

    def __init__(self, url: str, *, user: str, password: str, timeout: float = 30.0) -> None:
        self.url = url.rstrip("/")
        self._user = user
        self._password = password
        self._timeout = timeout
        self._token: str | None = None
        # The server is on this machine: a proxy from the environment has no business in between.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    # --- health and identity

    def health(self) -> Json:
        """Return Airflow's own account of its components; asks for no login."""
        return self._send("GET", "/api/v2/monitor/health", authorised=False)

    def log_in(self) -> None:
        """Exchange user and password for a token; an Airflow with other passwords refuses (ApiError 401)."""
        body = {"username": self._user, "password": self._password}
        self._token = self._send("POST", "/auth/token", body, authorised=False)["access_token"]

    # --- DAGs and pools

    def dag_ids(self) -> list[str]:
        """Return the ids of all DAGs that were parsed."""
        return [dag["dag_id"] for dag in self.get("/dags", limit=100)["dags"]]

    def import_errors(self) -> list[str]:
        """Return one text for each DAG file that could not be parsed."""
        errors = self.get("/importErrors")["import_errors"]
        return [f"{error['filename']}: {error['stack_trace']}" for error in errors]

    def unpause(self, dag_id: str) -> None:
        """Let a DAG's runs be scheduled."""
        self._send("PATCH", f"/api/v2/dags/{quote(dag_id)}", {"is_paused": False})

    def ensure_pool(self, name: str, *, slots: int, description: str, include_deferred: bool) -> None:
        """Create a pool, or give an existing one these slots."""
        pool = {"slots": slots, "description": description, "include_deferred": include_deferred}
        try:
            self._send("POST", "/api/v2/pools", {"name": name, **pool})
        except ApiError as error:
            if error.status != 409:
                raise
            self._send("PATCH", f"/api/v2/pools/{quote(name, safe='')}", {"pool": name, **pool})

    def resize_pool(self, name: str, slots: int) -> None:
        """Give an existing pool these slots; of Airflow's own default pool little else may be changed."""
        path = f"/api/v2/pools/{quote(name, safe='')}?update_mask=slots"
        self._send("PATCH", path, {"pool": name, "slots": slots})

    # --- runs

    def trigger(self, dag_id: str, conf: Mapping[str, Any], *, run_id: str | None = None) -> str:
        """Start a run as the Trigger button does and return its id; bad params are ApiError 400."""
        body: Json = {"logical_date": None, "conf": dict(conf)}
        if run_id:
            body["dag_run_id"] = run_id
        return str(self._send("POST", f"/api/v2/dags/{quote(dag_id)}/dagRuns", body)["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> Json:
        """Return one run; its state is queued, running, success or failed."""
        return self.get(_run(dag_id, run_id))

    def runs(self, dag_id: str) -> list[Json]:
        """Return the runs of a DAG, newest first."""
        return list(self.get(f"/dags/{quote(dag_id)}/dagRuns", order_by="-run_after")["dag_runs"])

    def mark_run(self, dag_id: str, run_id: str, state: str) -> None:
        """Mark a run success or failed, as the button on the run's page does."""
        self._send("PATCH", f"/api/v2{_run(dag_id, run_id)}", {"state": state})

    def wait_for_run(self, dag_id: str, run_id: str, *, timeout: float) -> str:
        """Return the final state of a run; TimeoutError names what its tasks were doing."""

        def final() -> str:
            state = str(self.run(dag_id, run_id)["state"])
            return state if state in TERMINAL else ""

        return self.wait(final, timeout=timeout, what=lambda: f"{run_id}: {self.states(dag_id, run_id)}")

    # --- tasks

    def task_instances(self, dag_id: str, run_id: str) -> list[Json]:
        """Return all task instances of a run, mapped ones included."""
        return list(self.get(f"{_run(dag_id, run_id)}/taskInstances", limit=100)["task_instances"])

    def states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """Return each task's state; of a mapped task's instances each, as `task[index]`."""
        return {
            each["task_id"] if each["map_index"] < 0 else f"{each['task_id']}[{each['map_index']}]": each[
                "state"
            ]
            for each in self.task_instances(dag_id, run_id)
        }

    def mark_task(self, dag_id: str, run_id: str, task_id: str, state: str, *, map_index: int = -1) -> None:
        """Mark one task success, failed or skipped, as the button on the task's page does."""
        path = f"/api/v2{_task(dag_id, run_id, task_id)}" + (f"/{map_index}" if map_index >= 0 else "")
        self._send("PATCH", path, {"new_state": state})

    def clear(
        self, dag_id: str, run_id: str, task_ids: Sequence[str], *, downstream: bool = True
    ) -> list[str]:
        """Clear tasks of a run, running ones too, and return the ids of all that were cleared."""
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": list(task_ids),
            "only_failed": False,
            "include_downstream": downstream,
            "reset_dag_runs": True,
        }
        cleared = self._send("POST", f"/api/v2/dags/{quote(dag_id)}/clearTaskInstances", body)
        return [each["task_id"] for each in cleared["task_instances"]]

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """Return one XCom value, as stored; an absent one is ApiError 404."""
        return self.get(f"{_task(dag_id, run_id, task_id)}/xcomEntries/{quote(key)}", deserialize="true")[
            "value"
        ]

    def log(self, dag_id: str, run_id: str, task_id: str, *, try_number: int = 1, map_index: int = -1) -> str:
        """Return a task's log as one text, a line an event, as the UI shows it."""
        path = f"{_task(dag_id, run_id, task_id)}/logs/{try_number}"
        content = self.get(path, map_index=map_index, full_content="true")["content"]
        lines = content.splitlines() if isinstance(content, str) else [_log_line(each) for each in content]
        return "\n".join(lines)

    def required_actions(self, dag_id: str, run_id: str) -> list[Json]:
        """Return what waits for a person in this run (the UI's Required Actions)."""
        return list(self.get(f"{_run(dag_id, run_id)}/hitlDetails")["hitl_details"])

    def respond(self, dag_id: str, run_id: str, task_id: str, options: Sequence[str], **inputs: Any) -> None:
        """Answer a required action with these options and inputs, in this user's name."""
        body = {"chosen_options": list(options), "params_input": inputs}
        self._send("PATCH", f"/api/v2{_task(dag_id, run_id, task_id)}/-1/hitlDetails", body)

    # --- the plain API

    def get(self, path: str, **query: Any) -> Json:
        """Return the answer to GET /api/v2<path>."""
        return self._send("GET", f"/api/v2{path}" + (f"?{urlencode(query)}" if query else ""))

    def wait(
        self, ready: Callable[[], Answer], *, timeout: float, what: Callable[[], str], interval: float = 0.5
    ) -> Answer:
        """Return the first truthy answer of `ready`; TimeoutError with `what()` after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            if answer := ready():
                return answer
            if time.monotonic() > deadline:
                raise TimeoutError(f"After {timeout:.0f} s: {what()}")
            time.sleep(interval)

    def _send(self, method: str, path: str, body: Json | None = None, *, authorised: bool = True) -> Json:
        if authorised and self._token is None:
            self.log_in()
        for last in (False,) * _LOCKED_TRIES + (True,):
            try:
                return self._exchange(method, path, body, authorised=authorised)
            except ApiError as error:
                # SQLite had another writer: Airflow rolled the request back whole, so it can be sent again.
                locked = error.status == 500 and "database is locked" in str(error)
                if last or not (locked or (error.status == 401 and authorised)):
                    raise
                if locked:
                    time.sleep(0.5)
                else:
                    self.log_in()
        raise AssertionError("the last try returns or raises")

    def _exchange(self, method: str, path: str, body: Json | None, *, authorised: bool) -> Json:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if authorised:
            headers["Authorization"] = f"Bearer {self._token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            detail = error.read().decode(errors="replace")[:20_000]  # the cause stands behind the statement
            raise ApiError(error.code, f"{method} {path} answered {error.code}: {detail}") from None
        except (OSError, http.client.HTTPException) as error:
            raise ApiError(0, f"{method} {self.url}{path} could not be answered: {error}") from None
        try:
            return dict(json.loads(content)) if content else {}
        except ValueError:
            raise ApiError(0, f"{method} {self.url}{path} is not answered by Airflow") from None


def _run(dag_id: str, run_id: str) -> str:
    return f"/dags/{quote(dag_id)}/dagRuns/{quote(run_id, safe='')}"


def _task(dag_id: str, run_id: str, task_id: str) -> str:
    return f"{_run(dag_id, run_id)}/taskInstances/{quote(task_id)}"


def _log_line(event: Mapping[str, Any] | str) -> str:
    if isinstance(event, str):
        return event
    parts = [str(event.get(key)) for key in ("timestamp", "level", "event") if event.get(key)]
    detail = event.get("error_detail")
    return " ".join(parts) + (f" {json.dumps(detail)}" if detail else "")
