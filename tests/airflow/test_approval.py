"""A promotion that a person must approve, asked for and answered in Airflow's Required Actions."""

import time

import pytest

from tests.airflow.rollouts import DAG, Stage

# Three rollouts share the two slots of the replay's pool: the last one's shard starts when another one's is done.
WINDOW = {"opening": 600}
ASKED = {"promotion": {"approval": True, "approval_timeout": 600}, "window": WINDOW}
ANSWERS = {"approved": ["Promote"], "rejected": ["Roll back"]}


@pytest.fixture(scope="module")
def answered(api, local_cloud, layout):
    """Run both at once; while each waits, note what serves and answer it as its name says."""
    stage = Stage(api, local_cloud, layout.home)
    runs = {}
    for name in (*ANSWERS, "unanswered"):
        stage.endpoint(name)
        changes = (
            {**ASKED, "promotion": {"approval": True, "approval_timeout": 10}}
            if name == "unanswered"
            else ASKED
        )
        runs[name] = stage.trigger(name, **changes)
    for name, options in ANSWERS.items():
        run = runs[name]
        api.wait(lambda run=run: api.required_actions(DAG, run.run_id), timeout=600, what=run.states)
        (run.action,) = api.required_actions(DAG, run.run_id)
        run.while_asked = run.serving
        time.sleep(
            5
        )  # nobody reads and answers faster, and Airflow loses a task that goes on before it was reaped
        api.respond(DAG, run.run_id, "approve", options, why="said the test")
    for run in runs.values():
        run.colour = run.wait()
    return runs


def test_the_question_tells_the_verdict_and_leads_to_the_page(answered):
    run = answered["approved"]
    assert run.action["subject"] == "Promote the candidate on endpoint approved?"
    assert run.record.get("verdict")["reason"] in run.action["body"]
    assert f"rollouts/{run.id})" in run.action["body"]


@pytest.mark.parametrize("name", ANSWERS)
def test_the_shadow_is_gone_while_a_person_is_asked(answered, name):
    assert answered[name].while_asked == (f"{name}-config", 0, f"{name}-model")


@pytest.mark.parametrize(
    ("name", "end", "who"),
    [
        ("approved", "PROMOTED", "admin"),
        ("rejected", "INCONCLUSIVE", "admin"),
        ("unanswered", "INCONCLUSIVE", "nobody"),
    ],
)
def test_the_answer_is_kept_and_carried_out(answered, name, end, who):
    run = answered[name]
    assert (run.end, run.colour) == (end, "success"), run.states()
    approval = run.record.get("approval")
    assert who in approval["who"].lower()
    assert approval["approved"] is (end == "PROMOTED")
    if name != "unanswered":
        assert approval["why"] == "said the test"
    served = run.record.get("candidate")["model"] if end == "PROMOTED" else f"{name}-model"
    assert run.serving[1:] == (0, served)
    assert run.holder is None
