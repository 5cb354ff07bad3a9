"""A part of Airflow that dies in the middle of the window: its successor finishes the same rollout."""

import pytest

from tests.airflow.rollouts import SPEC, Stage

RULES = SPEC["gates"]["rules"]

pytestmark = pytest.mark.timeout(1500)


def waits_without_a_slot(api):
    """Whatever else runs now and then, such as the janitor, ends; a task that only waits must not be counted."""
    pool = api.get("/pools/default_pool")
    return pool["deferred_slots"] >= 1 and pool["occupied_slots"] == 0


@pytest.mark.parametrize("component", ["scheduler", "triggerer"])
def test_its_successor_finishes_the_same_rollout(api, airflow, local_cloud, layout, component):
    """One shadow, one verdict, nothing twice and nothing left over."""
    stage = Stage(api, local_cloud, layout.home)
    name = f"orphan-of-{component}"
    stage.endpoint(name)
    # With a scheduler die its workers, the replay's too: nothing is sent until the next one takes the shard up again.
    lenient = [{**rule, "gap": 9} if rule["kind"] == "completeness" else rule for rule in RULES]
    run = stage.trigger(name, window={"length": 40, "maximum": 120}, gates={"rules": lenient})
    run.until("monitor_window", "deferred")
    api.wait(lambda: waits_without_a_slot(api), timeout=60, what=lambda: f"a slot is held: {run.states()}")
    airflow.kill(component)
    api.wait(airflow.unhealthy, timeout=180, what=lambda: f"the {component}'s death was not noticed")
    airflow.start_component(component)
    assert run.wait() == "success", run.states()
    assert run.end == "PROMOTED"
    config, shadows, model = run.serving
    assert shadows == 0
    assert run.left == sorted([config, model])
    assert run.holder is None
    keys = run.record.written_keys()
    assert [key for key in keys if key.startswith("finding/")] == ["finding/1"]
    assert keys.count("verdict") == 1
    described = stage.sagemaker.list_model_packages(ModelPackageGroupName=name)["ModelPackageSummaryList"]
    assert len(described) == 1
