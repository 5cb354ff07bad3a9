"""What a person can get wrong, through a real Airflow: one sentence that says what to do, in task log and ledger."""

import pytest

from tests.airflow.rollouts import BUCKET, DAG, Stage

SAID = {
    "missing-model": "s3://penumbra-local/nobody/model.tar.gz failed: 404: Not Found; check the bucket and the key.",
    "missing-bucket": "s3://no-such-bucket/model.tar.gz failed: 404: Not Found; check the bucket and the key.",
    "stopped-cloud": "; check the endpoint_url of the connection and that it is up.",
    "busy-endpoint": "endpoint busy-endpoint is Updating on its way to busy-endpoint-theirs; a rollout starts from an "
    "endpoint that is InService, so wait for it or repair it.",
    "two-variants": "endpoint two-variants has 2 production variants (production, second); SageMaker puts a shadow "
    "beside exactly one, so move the traffic to one of them first.",
}
CHANGES = {
    "missing-model": {"candidate": {"artifact": f"s3://{BUCKET}/nobody/model.tar.gz"}},
    "missing-bucket": {"candidate": {"artifact": "s3://no-such-bucket/model.tar.gz"}},
    "stopped-cloud": {"connection": "aws_stopped"},
}


@pytest.fixture(scope="module")
def refused(api, local_cloud, layout):
    """Trigger all of them at once, and return each when it has ended."""
    stage = Stage(api, local_cloud, layout.home)
    for name in SAID:
        stage.endpoint(name)
    stage.config("two-variants", "two-variants-two", variants=("production", "second"))
    stage.sagemaker.update_endpoint(EndpointName="two-variants", EndpointConfigName="two-variants-two")
    stage.in_service("two-variants")
    stage.config("busy-endpoint", "busy-endpoint-theirs")
    stage.cloud.ask("/_local/faults", {"delay": 90, "endpoint": "busy-endpoint"})
    stage.sagemaker.update_endpoint(EndpointName="busy-endpoint", EndpointConfigName="busy-endpoint-theirs")
    runs = {name: stage.trigger(name, **CHANGES.get(name, {})) for name in SAID}
    for run in runs.values():
        run.colour = run.wait()
    stage.cloud.ask("/_local/faults", method="DELETE")
    return runs


@pytest.mark.parametrize("name", SAID)
def test_one_sentence_in_the_log_and_in_the_ledger_says_what_to_do(refused, name):
    run = refused[name]
    outcome = run.record.get("outcome")
    assert (outcome["end"], run.colour) == ("REFUSED", "failed"), run.states()
    assert SAID[name] in outcome["reason"]
    assert f"refused: {outcome['reason']}" in run.stage.api.log(DAG, run.run_id, "open")


@pytest.mark.parametrize("name", SAID)
def test_nothing_was_made_and_no_later_task_ran(refused, name):
    run = refused[name]
    assert run.left == []
    states = run.states()
    assert states.pop("open") == "failed"
    assert set(states.values()) <= {"upstream_failed", "skipped", None}, states
