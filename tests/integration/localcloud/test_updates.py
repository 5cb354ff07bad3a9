"""Under continuous traffic no update loses a request, and no caller ever sees the shadow's answer."""

import os
import signal
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.localcloud.crowd import SHADOWS_ANSWER, Crowd, updated_under_way

CALLERS = 3


class Callers:
    """Clients that call one endpoint without a pause and without retries, and keep count."""

    def __init__(self, program: Any, endpoint: str) -> None:
        self.answers: Counter[tuple[str, str]] = Counter()  # (variant named in the header, answer)
        self.failures: list[Exception] = []
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        clients = [
            program.client("sagemaker-runtime", retries={"total_max_attempts": 1}) for _ in range(CALLERS)
        ]
        self._threads = [threading.Thread(target=self._call, args=(client, endpoint)) for client in clients]
        for thread in self._threads:
            thread.start()

    def _call(self, client: Any, endpoint: str) -> None:
        while not self._stopping.is_set():
            try:
                answer = client.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body=b"1,2")
                seen = (answer["InvokedProductionVariant"], answer["Body"].read().decode())
            except Exception as error:
                with self._lock:
                    self.failures.append(error)
            else:
                with self._lock:
                    self.answers[seen] += 1

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def endpoint(program: Any, hosting: Any) -> Iterator[str]:
    name = f"e-{uuid.uuid4().hex[:8]}"
    hosted = hosting(program)
    hosted.model(f"{name}-old", LOCAL_ANSWER="old")
    hosted.config(f"{name}-before", f"{name}-old")
    assert hosted.create(name, f"{name}-before")["EndpointStatus"] == "InService"
    yield name
    hosted.sagemaker.delete_endpoint(EndpointName=name)


@pytest.mark.parametrize(
    "shadow",
    [
        {"LOCAL_ANSWER": "wrong"},
        {"LOCAL_ANSWER": "late", "LOCAL_SERVICE_TIME_MEDIAN_MS": "3000"},
        {"LOCAL_ANSWER": "never", "LOCAL_ERROR_SHARE": "1.0"},
    ],
    ids=["wrong", "slow", "failing"],
)
def test_deploying_and_restoring_beside_a_bad_shadow_loses_nothing(
    program: Any, hosting: Any, endpoint: str, shadow: dict[str, str]
) -> None:
    hosted = hosting(program)
    hosted.model(f"{endpoint}-new", **shadow)
    hosted.config(f"{endpoint}-shadowed", f"{endpoint}-old", f"{endpoint}-new")
    callers = Callers(program, endpoint)
    try:
        for _ in range(2):
            assert (
                hosted.update(endpoint, f"{endpoint}-shadowed")["EndpointConfigName"]
                == f"{endpoint}-shadowed"
            )
            assert hosted.update(endpoint, f"{endpoint}-before")["EndpointConfigName"] == f"{endpoint}-before"
    finally:
        callers.stop()
    assert callers.failures == []
    assert set(callers.answers) == {("production", "old")}
    assert callers.answers.total() > 100


def test_promoting_changes_the_answer_once_and_loses_nothing(
    program: Any, hosting: Any, endpoint: str
) -> None:
    hosted = hosting(program)
    hosted.model(f"{endpoint}-new", LOCAL_ANSWER="new")
    hosted.config(f"{endpoint}-after", f"{endpoint}-new")
    callers = Callers(program, endpoint)
    try:
        assert hosted.update(endpoint, f"{endpoint}-after")["EndpointStatus"] == "InService"
    finally:
        callers.stop()
    assert callers.failures == []
    assert set(callers.answers) == {("production", "old"), ("production", "new")}


def test_a_shadow_that_is_killed_again_and_again_is_not_noticed(
    program: Any, hosting: Any, endpoint: str, wait_until: Any
) -> None:
    hosted = hosting(program)
    hosted.model(f"{endpoint}-new", LOCAL_ANSWER="dead")
    hosted.config(f"{endpoint}-shadowed", f"{endpoint}-old", f"{endpoint}-new")
    hosted.update(endpoint, f"{endpoint}-shadowed")
    callers = Callers(program, endpoint)
    try:
        for _ in range(3):
            (victim,) = program.instances(endpoint)["shadow"]
            os.kill(victim, signal.SIGKILL)
            assert wait_until(
                lambda old=victim: program.instances(endpoint)["shadow"] not in ([], [old], [None])
            )
        hosted.update(endpoint, f"{endpoint}-before")
    finally:
        callers.stop()
    assert callers.failures == []
    assert set(callers.answers) == {("production", "old")}


def test_an_update_that_cannot_start_leaves_the_old_fleet_answering(
    program: Any, hosting: Any, endpoint: str
) -> None:
    hosted = hosting(program)
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/unknown:1"
    hosted.sagemaker.create_model(ModelName=f"{endpoint}-bad", PrimaryContainer={"Image": image})
    hosted.config(f"{endpoint}-worse", f"{endpoint}-bad")
    callers = Callers(program, endpoint)
    try:
        described = hosted.update(endpoint, f"{endpoint}-worse")
    finally:
        callers.stop()
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == (
        "InService",
        f"{endpoint}-before",
    )
    assert "unknown" in described["FailureReason"]
    assert callers.failures == []
    assert set(callers.answers) == {("production", "old")}


def test_an_inference_experiment_loses_nothing_from_its_start_to_the_promotion(
    program: Any, hosting: Any, endpoint: str, wait_until: Any
) -> None:
    hosted = hosting(program)
    hosted.model(f"{endpoint}-new", LOCAL_ANSWER="new")

    def variant(name: str, model: str) -> dict[str, Any]:
        instances = {"InstanceType": "ml.m5.large", "InstanceCount": 1}
        infrastructure = {
            "InfrastructureType": "RealTimeInference",
            "RealTimeInferenceConfig": instances,
        }
        return {"VariantName": name, "ModelName": model, "InfrastructureConfig": infrastructure}

    def comes_to(status: str) -> bool:
        described = hosted.sagemaker.describe_inference_experiment(Name=endpoint)
        return bool(described["Status"] == status)

    callers = Callers(program, endpoint)
    try:
        hosted.sagemaker.create_inference_experiment(
            Name=endpoint,
            Type="ShadowMode",
            RoleArn="arn:aws:iam::123456789012:role/serving",
            EndpointName=endpoint,
            ModelVariants=[
                variant("production", f"{endpoint}-old"),
                variant("candidate", f"{endpoint}-new"),
            ],
            ShadowModeConfig={
                "SourceModelVariantName": "production",
                "ShadowModelVariants": [{"ShadowModelVariantName": "candidate", "SamplingPercentage": 100}],
            },
        )
        assert wait_until(lambda: comes_to("Running"), 60)
        before = set(callers.answers)
        hosted.sagemaker.stop_inference_experiment(
            Name=endpoint,
            ModelVariantActions={"production": "Remove", "candidate": "Promote"},
            DesiredState="Completed",
        )
        assert wait_until(lambda: comes_to("Completed"), 60)
    finally:
        callers.stop()
    assert before == {("production", "old")}
    assert callers.failures == []
    assert set(callers.answers) == {("production", "old"), ("candidate", "new")}


def test_ten_updates_beside_a_shadow_of_all_requests_lose_none_of_ten_thousand(
    own_program: Any, hosting: Any
) -> None:
    crowd = updated_under_way(own_program, hosting, callers=4, least=10_000)
    assert crowd.sent >= 10_000
    assert crowd.seen == {"right": crowd.sent}


def test_the_crowd_notices_the_shadows_answer_and_an_error(own_program: Any, hosting: Any) -> None:
    hosted = hosting(own_program)
    hosted.model("right")
    hosted.model("shadows", LOCAL_ANSWER=SHADOWS_ANSWER)
    hosted.config("before", "right")
    hosted.config("after", "shadows")
    hosted.create("e", "before")
    crowd = Crowd(own_program.url, "e", callers=2, least=200)
    try:
        hosted.update("e", "after")
    finally:
        crowd.leave()
    assert crowd.seen["right"] > 0
    assert crowd.seen["the shadow's"] == crowd.sent - crowd.seen["right"]
    hosted.update("e", "before")
    own_program.ask("/_local/faults", {"errors": 0.5, "endpoint": "e"})
    crowd = Crowd(own_program.url, "e", callers=2, least=200)
    crowd.leave()
    assert crowd.seen["status 424"] == 200 - crowd.seen["right"] > 0
