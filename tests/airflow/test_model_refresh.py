"""A recurring refresh through a real Airflow: each candidate starts one rollout, however often it is looked for."""

import pytest

from tests.airflow.rollouts import BUCKET, DAG, Run, Stage

REFRESH = "model_refresh__light_refresh"
ENDPOINT = "light-refresh"
MODEL = f"s3://{BUCKET}/light/models/newest.tar.gz"


def started(api):
    """Return the ids of the rollout runs that refreshes started, the first one first."""
    return [run["dag_run_id"] for run in reversed(api.runs(DAG)) if run["dag_run_id"].startswith("refresh__")]


@pytest.fixture(scope="module")
def refreshed(api, local_cloud, layout):
    """A new artefact, two looks at once, and the rollout that came of them."""
    stage = Stage(api, local_cloud, layout.home)
    stage.endpoint(ENDPOINT)
    for key in ("light/models/older.tar.gz", MODEL.removeprefix(f"s3://{BUCKET}/")):
        stage.s3.put_object(Bucket=BUCKET, Key=key, Body=b"light instances do not read it")
    paused = {dag["dag_id"]: dag["is_paused"] for dag in api.get("/dags", limit=100)["dags"]}
    api.unpause(REFRESH)
    looks = [api.trigger(REFRESH, {}), api.trigger(REFRESH, {})]
    colours = [api.wait_for_run(REFRESH, look, timeout=180) for look in looks]
    (run_id,) = started(api)
    run = Run(stage, ENDPOINT, run_id)
    run.paused, run.looks, run.colours, run.colour = paused, looks, colours, run.wait()
    return run


def test_refreshes_are_paused_until_a_person_wants_them(refreshed):
    assert {dag_id: paused for dag_id, paused in refreshed.paused.items() if "refresh" in dag_id} == {
        REFRESH: True,
        "model_refresh__churn_refresh": True,
    }


def test_two_looks_start_one_rollout_of_the_newest_artefact(refreshed, api):
    assert refreshed.colours == ["success", "success"]
    states = [api.states(REFRESH, look)["start_rollout"] for look in refreshed.looks]
    assert sorted(states) == ["skipped", "success"]
    spec = refreshed.record.get("spec")
    assert spec["overrides"]["candidate"]["artifact"] == MODEL
    assert (refreshed.end, refreshed.colour) == ("PROMOTED", "success"), refreshed.states()


def test_starting_the_same_rollout_once_more_is_skipped(refreshed, api):
    """A task that is retried or cleared, or a second scheduler, meets the run that is there."""
    look = next(look for look in refreshed.looks if api.states(REFRESH, look)["start_rollout"] == "success")
    api.clear(REFRESH, look, ["start_rollout"], downstream=False)
    assert api.wait_for_run(REFRESH, look, timeout=180) == "success"
    assert api.states(REFRESH, look)["start_rollout"] == "skipped"
    assert started(api) == [refreshed.run_id]


def test_with_nothing_new_the_look_is_green_and_says_why(refreshed, api):
    look = api.trigger(REFRESH, {})
    assert api.wait_for_run(REFRESH, look, timeout=180) == "success"
    assert f"nothing to start: endpoint {ENDPOINT} serves {MODEL} already" in api.log(
        REFRESH, look, "find_candidate"
    )
    assert started(api) == [refreshed.run_id]


def test_again_starts_one_more_on_purpose(refreshed, api):
    look = api.trigger(REFRESH, {"again": True})
    assert api.wait_for_run(REFRESH, look, timeout=180) == "success"
    first, second = started(api)
    assert (first, second.startswith(f"{first}__again-")) == (refreshed.run_id, True)
    api.mark_run(DAG, second, "failed")  # that it starts is enough here
    Run(refreshed.stage, ENDPOINT, second).wait()
