"""A managed shadow test on the real program: week-long schedules in seconds, and nothing lost on the way."""

import email.utils
import urllib.request
from typing import Any

import pytest

DAY = 86400.0


def model_variant(name: str, model: str) -> dict[str, Any]:
    return {
        "ModelName": model,
        "VariantName": name,
        "InfrastructureConfig": {
            "InfrastructureType": "RealTimeInference",
            "RealTimeInferenceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        },
    }


class Experiment:
    """One inference experiment on the endpoint `e`, whose production answers `old` and whose shadow `new`."""

    def __init__(self, program: Any, hosting: Any, wait_until: Any) -> None:
        self._until = wait_until
        self.hosted = hosting(program)
        self.sagemaker = self.hosted.sagemaker
        self.hosted.model("old", LOCAL_ANSWER="old")
        self.hosted.model("new", LOCAL_ANSWER="new")
        self.hosted.config("one", "old")
        self.hosted.create("e", "one")

    def create(self, percentage: int = 100) -> None:
        self.sagemaker.create_inference_experiment(
            Name="x",
            Type="ShadowMode",
            RoleArn="arn:aws:iam::123456789012:role/serving",
            EndpointName="e",
            ModelVariants=[model_variant("production", "old"), model_variant("candidate", "new")],
            ShadowModeConfig={
                "SourceModelVariantName": "production",
                "ShadowModelVariants": [
                    {"ShadowModelVariantName": "candidate", "SamplingPercentage": percentage}
                ],
            },
            DataStorageConfig={
                "Destination": "s3://captures/x",
                "ContentType": {"CsvContentTypes": ["text/csv"]},
            },
        )

    def shown(self) -> dict[str, Any]:
        described: dict[str, Any] = self.sagemaker.describe_inference_experiment(Name="x")
        return described

    def comes_to(self, status: str) -> bool:
        reached: bool = self._until(lambda: self.shown()["Status"] == status, 60)
        return reached


@pytest.fixture
def experiment(own_program: Any, hosting: Any, wait_until: Any) -> Experiment:
    own_program.client("s3").create_bucket(Bucket="captures")
    return Experiment(own_program, hosting, wait_until)


def answers(program: Any, requests: int) -> set[bytes]:
    runtime = program.client("sagemaker-runtime")
    call = {"EndpointName": "e", "ContentType": "text/csv", "Body": b"1,2"}
    return {runtime.invoke_endpoint(**call)["Body"].read() for _ in range(requests)}


def test_a_week_passes_in_seconds_and_leaves_the_endpoint_as_it_was(
    own_program: Any, experiment: Experiment, wait_until: Any
) -> None:
    experiment.create()
    assert experiment.comes_to("Running")
    assert answers(own_program, 20) == {b"old"}

    def mirrored() -> int:
        served = own_program.ask("/_local/state")["endpoints"]["e"]["served"]
        return sum(variant["served"] for variant in served["variants"] if variant["shadow"])

    assert wait_until(lambda: mirrored() == 20)
    planned = experiment.shown()["Schedule"]
    assert (planned["EndTime"] - planned["StartTime"]).total_seconds() == pytest.approx(7 * DAY)
    assert own_program.ask("/_local/clock", {"scale": 500_000})["scale"] == 500_000
    assert experiment.comes_to("Completed")
    own_program.ask("/_local/clock", {"scale": 1})
    assert experiment.hosted.settled("e")["EndpointConfigName"] == "one"
    assert experiment.shown()["CompletionTime"] >= planned["EndTime"]
    listed = own_program.client("s3").list_objects_v2(Bucket="captures")["Contents"]
    assert {key["Key"].split("/")[2] for key in listed} == {"production", "candidate"}


def test_the_date_header_follows_the_scaled_clock(own_program: Any, experiment: Experiment) -> None:
    own_program.ask("/_local/clock", {"scale": 1_000_000})
    experiment.sagemaker.list_inference_experiments()
    own_program.ask("/_local/clock", {"scale": 1})
    now = own_program.ask("/_local/clock")["now"]
    with urllib.request.urlopen(own_program.url + "/_local/health", timeout=10) as answer:
        said = email.utils.parsedate_to_datetime(answer.headers["Date"]).timestamp()
    assert 0 <= said - int(now) <= 10


def test_a_killed_program_goes_on_with_its_experiment_and_its_time(
    own_program: Any, hosting: Any, experiment: Experiment
) -> None:
    experiment.create(50)
    assert experiment.comes_to("Running")
    own_program.ask("/_local/clock", {"scale": 3600})
    own_program.stop(9)
    own_program.start()
    assert own_program.ask("/_local/clock")["scale"] == 3600
    experiment.sagemaker = own_program.client("sagemaker")
    assert experiment.shown()["Status"] == "Running"
    experiment.sagemaker.stop_inference_experiment(
        Name="x",
        ModelVariantActions={"production": "Remove", "candidate": "Promote"},
        DesiredState="Completed",
    )
    assert experiment.comes_to("Completed")
    assert answers(own_program, 5) == {b"new"}
