"""Guarded updates on the real program: alarms on real metrics decide what becomes of real fleets."""

import threading
from collections import Counter
from typing import Any

import pytest


class Traffic:
    """One client that calls the endpoint `e` without a pause and counts what it hears."""

    def __init__(self, program: Any) -> None:
        self.heard: Counter[str] = Counter()
        self._client = program.client("sagemaker-runtime", retries={"total_max_attempts": 1})
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                answer = self._client.invoke_endpoint(EndpointName="e", Body=b"1", ContentType="text/csv")
                self.heard[answer["Body"].read().decode()] += 1
            except self._client.exceptions.ModelError:
                self.heard["failed"] += 1

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()


@pytest.fixture
def served(own_program: Any, hosting: Any) -> Any:
    hosted = hosting(own_program)
    hosted.model("old", LOCAL_ANSWER="old")
    hosted.model("good", LOCAL_ANSWER="good")
    hosted.model("bad", LOCAL_ERROR_SHARE="1.0")
    for name in ("old", "good", "bad"):
        hosted.config(name, name)
    hosted.create("e", "old")
    own_program.client("cloudwatch").put_metric_alarm(
        AlarmName="new-fleet-fails",
        Namespace="AWS/SageMaker",
        MetricName="InvocationModelErrors",
        Dimensions=[
            {"Name": "EndpointName", "Value": "e"},
            {"Name": "VariantName", "Value": "production"},
            {"Name": "EndpointConfigName", "Value": "bad"},
        ],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
    )
    own_program.ask("/_local/clock", {"scale": 60})  # a minute a second
    return hosted


def policy(**routing: Any) -> dict[str, Any]:
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"WaitIntervalInSeconds": 180, **routing},
            "MaximumExecutionTimeoutInSeconds": 28_800,
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "new-fleet-fails"}]},
    }


CANARY = policy(Type="CANARY", CanarySize={"Type": "CAPACITY_PERCENT", "Value": 30})


def test_a_canary_that_fails_trips_the_alarm_and_goes(own_program: Any, served: Any) -> None:
    traffic = Traffic(own_program)
    try:
        described = served.update("e", "bad", DeploymentConfig=CANARY)
    finally:
        traffic.stop()
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "old")
    assert "alarm new-fleet-fails is in ALARM state" in described["FailureReason"]
    share = traffic.heard["failed"] / traffic.heard.total()
    assert 0 < share < 0.5  # the canary's part of the traffic, and nobody else's
    runtime = own_program.client("sagemaker-runtime")
    answers = {runtime.invoke_endpoint(EndpointName="e", Body=b"1")["Body"].read() for _ in range(20)}
    assert answers == {b"old"}
    assert len(own_program.instances("e")["production"]) == 1


def test_a_good_canary_is_told_in_its_stages_and_takes_over(
    own_program: Any, served: Any, wait_until: Any
) -> None:
    traffic = Traffic(own_program)
    try:
        served.sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="good", DeploymentConfig=CANARY)

        def baking() -> bool:
            described = served.sagemaker.describe_endpoint(EndpointName="e")
            pending = described.get("PendingDeploymentSummary", {}).get("ProductionVariants", [{}])
            return bool(pending[0].get("VariantStatus", [{}])[0].get("Status") == "Baking")

        assert wait_until(baking)
        beside = own_program.ask("/_local/state")["endpoints"]["e"]["served"]["beside"]
        assert beside["config"] == "good"
        described = served.settled("e")
    finally:
        traffic.stop()
    assert described["EndpointConfigName"] == "good"
    assert "FailureReason" not in described
    assert set(traffic.heard) == {"old", "good"}
