"""Every documented error of every supported operation comes as the exception, code and status that clients catch."""

import contextlib
import datetime
import json
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.model import OperationModel, Shape

from docs.tables import operations
from tests.contract import provocations
from tests.contract.provocations import (
    BESIDE,
    BESIDE_EVERYWHERE,
    EXCUSED,
    PROVOCATIONS,
    STATUSES,
    TEXTS,
    THROTTLES,
)

SUPPORTED = operations()
MODELS = {service: botocore.session.get_session().get_service_model(service) for service in SUPPORTED}


def documented() -> Iterator[tuple[str, str, str]]:
    for service, names in SUPPORTED.items():
        for operation in names:
            errors = {shape.name for shape in MODELS[service].operation_model(operation).error_shapes}
            for error in sorted(errors | BESIDE_EVERYWHERE.get(service, set())):
                yield service, operation, error


def is_excused(service: str, operation: str, error: str) -> bool:
    return not EXCUSED.keys().isdisjoint({(service, operation, error), (service, "*", error)})


def modelled(model: OperationModel, error: str) -> Shape | None:
    return next((shape for shape in model.error_shapes if shape.name == error), None)


def expected(service: str, operation: str, error: str) -> tuple[str, int]:
    """Return the code and the HTTP status of the error, as the model has them."""
    shape = modelled(MODELS[service].operation_model(operation), error)
    metadata = {} if shape is None else shape.metadata.get("error", {})
    status = int(metadata.get("httpStatusCode", STATUSES.get(error, 400)))
    # an answer to HEAD has no body: botocore makes the code from the status
    return (str(status) if operation.startswith("Head") else metadata.get("code", error)), status


class Scene:
    """A model, a config, an endpoint that serves, two experiments, a group with a version, an alarm, a bucket."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._clients: dict[str, Any] = {}
        self.client("s3").create_bucket(
            Bucket="there", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        self.call("s3", "PutObject", Bucket="there", Key="key", Body=b"body")
        self.call("sagemaker", "CreateModel", **provocations.MODEL | {"ModelName": "m"})
        self.call("sagemaker", "CreateEndpointConfig", **provocations.CONFIG | {"EndpointConfigName": "c"})
        self.call("sagemaker", "CreateEndpoint", EndpointName="serving", EndpointConfigName="c")
        self.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="group")
        self.call("sagemaker", "CreateModelPackage", ModelPackageGroupName="group", ClientToken="token")
        self.call("cloudwatch", "PutMetricAlarm", **provocations.ALARM | {"AlarmName": "alarm"})
        start = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
        schedule = {"StartTime": start, "EndTime": start + datetime.timedelta(days=1)}
        for name, endpoint in (("over", "another"), ("planned", "other")):
            asked = provocations.experiment(name, endpoint, Schedule=schedule)
            self.call("sagemaker", "CreateInferenceExperiment", **asked)
        self.wait(lambda: self.experiment("over") == "Created" and self.experiment("planned") == "Created")
        self.call("sagemaker", "StopInferenceExperiment", Name="over", **provocations.STOP)
        self.wait(lambda: self.experiment("over") == "Cancelled")
        self.wait(self.serves)
        self.call(
            "application-autoscaling",
            "RegisterScalableTarget",
            MinCapacity=1,
            MaxCapacity=2,
            **provocations.TARGET,
        )

    def client(self, service: str) -> Any:
        """Return a client that sends what it is given, once."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.url,
                region_name="eu-west-1",
                aws_access_key_id="local",
                aws_secret_access_key="local",
                config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
            )
        return self._clients[service]

    def call(self, service: str, operation: str, **params: Any) -> Any:
        client = self.client(service)
        method = next(name for name, each in client.meta.method_to_api_mapping.items() if each == operation)
        return getattr(client, method)(**params)

    def fault(self, **wanted: Any) -> None:
        self._faults(json.dumps(wanted).encode())

    def heal(self) -> None:
        self._faults(None)

    def _faults(self, body: bytes | None) -> None:
        request = urllib.request.Request(
            f"{self.url}/_local/faults", body, method="POST" if body else "DELETE"
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as answer:
            assert answer.status == 200

    @staticmethod
    def wait(holds: Any) -> None:
        deadline = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def experiment(self, name: str) -> str:
        return str(self.call("sagemaker", "DescribeInferenceExperiment", Name=name)["Status"])

    def serves(self) -> bool:
        with contextlib.suppress(ClientError):
            self.call("sagemaker-runtime", "InvokeEndpoint", EndpointName="serving", Body=b"1")
            return True
        return False

    # what takes more than one call

    def invoke_a_crashed_one(self) -> None:
        """Kill the one instance and invoke until the gateway knows, and anew if it was back before that."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            self.wait(self.serves)
            self.fault(crash=1, endpoint="serving", variant="a")
            answered = False
            while not answered and time.monotonic() < deadline:
                try:
                    self.call("sagemaker-runtime", "InvokeEndpoint", EndpointName="serving", Body=b"1")
                    answered = True
                except ClientError as error:
                    if error.response["Error"]["Code"] != "ModelError":  # cut off on its way: not yet known
                        raise

    def register_one_too_many(self) -> None:
        """Ask for a scalable target where there may be none any more; the one that is there comes back in any case."""
        bounds = {"MinCapacity": 1, "MaxCapacity": 2}
        self.call("application-autoscaling", "DeregisterScalableTarget", **provocations.TARGET)
        self.fault(quota=0, of="scalable-target")
        try:
            self.call("application-autoscaling", "RegisterScalableTarget", **bounds, **provocations.TARGET)
        finally:
            self.heal()
            self.call("application-autoscaling", "RegisterScalableTarget", **bounds, **provocations.TARGET)

    def complete(self, numbers: list[int], etag: str | None = None) -> None:
        """Upload two parts of a byte each, and put these together."""
        key = {"Bucket": "there", "Key": "parts"}
        upload = key | {"UploadId": self.call("s3", "CreateMultipartUpload", **key)["UploadId"]}
        etags = {
            number: self.call("s3", "UploadPart", PartNumber=number, Body=b"1", **upload)["ETag"]
            for number in (1, 2)
        }
        parts = [{"PartNumber": number, "ETag": etag or etags[number]} for number in numbers]
        self.call("s3", "CompleteMultipartUpload", MultipartUpload={"Parts": parts}, **upload)


@pytest.fixture(scope="module")
def stage(contract: Any) -> Scene:
    return Scene(contract.url)


@pytest.fixture
def scene(stage: Scene) -> Iterator[Scene]:
    yield stage
    stage.heal()


def check(caught: ClientError, service: str, operation: str, error: str, client: Any) -> None:
    code, status = expected(service, operation, error)
    answer = caught.response
    found = (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], caught.operation_name)
    assert found == (code, status, operation), answer
    assert operation.startswith("Head") or answer["Error"]["Message"]
    shape = modelled(MODELS[service].operation_model(operation), error)
    if shape is not None and not operation.startswith("Head"):
        assert type(caught) is getattr(client.exceptions, shape.name)


@pytest.mark.parametrize("wanted", sorted(PROVOCATIONS), ids="-".join)
def test_an_error_comes_about_as_on_aws(scene: Scene, wanted: tuple[str, str, str]) -> None:
    with pytest.raises(ClientError) as caught:
        PROVOCATIONS[wanted](scene)
    check(caught.value, *wanted, scene.client(wanted[0]))
    if wanted in TEXTS:
        assert caught.value.response["Error"]["Message"].startswith(TEXTS[wanted])


def test_every_documented_error_is_provoked_or_excused() -> None:
    """A new operation, or a new botocore, may bring errors that nobody thought of: they are named here."""
    forgotten = {each for each in documented() if each not in PROVOCATIONS and not is_excused(*each)}
    assert forgotten == set()


def test_no_excuse_and_no_provocation_outlives_its_reason() -> None:
    known = set(documented())
    both = {each for each in PROVOCATIONS if is_excused(*each)}
    unknown = {each for each in PROVOCATIONS.keys() - known if each[2] not in BESIDE.get(each[0], ())}
    idle = {
        excuse
        for excuse in EXCUSED
        if not any(service == excuse[0] and operation in {excuse[1], operation if excuse[1] == "*" else ""}
                   and error == excuse[2] for service, operation, error in known)
    }  # fmt: skip
    assert (both, unknown, idle) == (set(), set(), set())


@pytest.mark.parametrize("service", sorted(SUPPORTED))
def test_every_documented_error_and_throttling_can_be_injected(scene: Scene, service: str) -> None:
    """Also those that cannot come about: a client's handling of them can be tried all the same."""
    client = scene.client(service)
    of_service = [each for each in documented() if each[0] == service]
    throttle = THROTTLES.get(service, "ThrottlingException")
    throttled = [(service, operation, throttle) for operation in SUPPORTED[service]]
    for _, operation, error in of_service + throttled:
        shape = modelled(MODELS[service].operation_model(operation), error)
        _, status = expected(service, operation, error)
        code = error if shape is None else shape.metadata.get("error", {}).get("code", error)
        scene.fault(operation=operation, code=code, status=status)
        with pytest.raises(ClientError) as caught:
            scene.call(service, operation, **_labels(operation, service))
        check(caught.value, service, operation, error, client)


def _labels(operation: str, service: str) -> dict[str, Any]:
    """Return what the request's address is made of, which no client can leave out."""
    known = {"Bucket": "there", "Key": "key", "EndpointName": "serving", "UploadId": "u", "PartNumber": 1}
    known |= {"CopySource": "there/key"}
    shape = MODELS[service].operation_model(operation).input_shape
    return {name: known[name] for name in ([] if shape is None else shape.required_members) if name in known}
