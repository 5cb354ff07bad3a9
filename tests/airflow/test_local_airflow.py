"""The local Airflow itself: identity, logs, and what happens when one of its processes is killed."""

import os
import signal
import time

import pytest

from quickstart.client import AirflowClient, ApiError
from tests.airflow.stand import TIMING


def running_task_pid(airflow, api, run):
    """Return the pid of the task process: the supervisor's child, which leads a process group of its own."""
    api.wait(lambda: api.states("probe", run).get("talk") == "running", timeout=180, what=lambda: "no task")
    return api.wait(
        lambda: api.get(f"/dags/probe/dagRuns/{run}/taskInstances/talk")["pid"],
        timeout=20,
        what=lambda: "no pid",
    )


def test_a_run_succeeds_and_its_log_is_what_the_task_said(api):
    run = api.trigger("probe", {})
    assert api.wait_for_run("probe", run, timeout=180) == "success"
    assert "a line from the task" in api.log("probe", run, "talk")
    assert isinstance(api.xcom("probe", run, "talk"), int)


def test_our_airflow_accepts_our_passwords_only(airflow):
    assert airflow.unhealthy() == ""
    with pytest.raises(ApiError) as refused:
        AirflowClient(airflow.url, user="admin", password="another").log_in()
    assert refused.value.status == 401


def test_the_viewer_may_look_but_not_trigger(airflow, api):
    viewer = airflow.client("viewer")
    assert "probe" in viewer.dag_ids()
    with pytest.raises(ApiError) as refused:
        viewer.trigger("probe", {})
    assert refused.value.status == 403


def test_the_pools_of_the_settings_file_exist(api):
    assert api.get("/pools/replay")["slots"] == 2


def test_a_killed_task_is_noticed_in_seconds(airflow, api):
    run = api.trigger("probe", {"seconds": 300})
    os.kill(running_task_pid(airflow, api, run), signal.SIGKILL)
    assert api.wait_for_run("probe", run, timeout=180) == "failed"


def test_a_task_that_was_killed_with_its_scheduler_is_run_again_by_the_next_one(airflow, api):
    """Airflow resets running tasks of a dead scheduler and runs them again, although they have no retries."""
    run = api.trigger("probe", {"seconds": 300})
    running_task_pid(airflow, api, run)
    airflow.kill("scheduler")
    api.wait(airflow.unhealthy, timeout=180, what=lambda: "the scheduler's death was not noticed")
    assert "scheduler" in airflow.unhealthy()
    airflow.start_component("scheduler")
    assert api.wait_for_run("probe", run, timeout=180) == "success"
    assert api.get(f"/dags/probe/dagRuns/{run}/taskInstances/talk")["try_number"] == 2


def test_a_task_outlives_its_killed_api_server(airflow, api):
    run = api.trigger("probe", {"seconds": 15})
    running_task_pid(airflow, api, run)
    airflow.kill("api-server")
    gone = time.monotonic()
    airflow.start_component("api-server")
    away = time.monotonic() - gone
    if away > TIMING.task_timeout / 2:
        pytest.skip(f"the API server took {away:.0f} s to come back: so long that its tasks count as dead")
    assert api.wait_for_run("probe", run, timeout=180) == "success"
