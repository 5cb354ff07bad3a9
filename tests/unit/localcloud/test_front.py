"""Whose request it is: runtime, control plane, S3, local API, or the services behind."""

import json
from typing import Any

import pytest

from include.localcloud.http import Request

AUTH = "AWS4-HMAC-SHA256 Credential=AKID/20260101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"


def signed(service: str, region: str = "us-east-1") -> dict[str, str]:
    return {"authorization": AUTH.format(service=service, region=region)}


def ask(plane: Any, request: Request) -> Any:
    begun: list[Any] = []
    if plane.front.begin(request, begun.append):
        (answer,) = begun  # the runtime here responds at once
        return answer
    return plane.run(plane.front.handle(request))


def test_invocations_go_to_the_runtime_with_the_decoded_name(plane: Any) -> None:
    answer = ask(plane, Request("POST", "/endpoints/my%2Dname/invocations", "", signed("sagemaker")))
    assert answer.body == b"my-name"


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", signed("s3")),
        ("X-Amz-Credential=AKID%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Expires=60", {}),
    ],
    ids=["signed", "presigned"],
)
def test_a_bucket_named_endpoints_is_still_a_bucket(plane: Any, query: str, headers: dict[str, str]) -> None:
    answer = ask(plane, Request("GET", "/endpoints/e/invocations", query, headers))
    assert b"<Code>NoSuchBucket</Code>" in answer.body


def test_an_operation_that_is_not_there_answers_an_error_that_no_client_retries(
    plane: Any, refused: Any
) -> None:
    with pytest.raises(
        refused, match=r"does not support the sagemaker operation CreateTrainingJob\."
    ) as caught:
        plane.raw("CreateTrainingJob", {})
    assert (caught.value.code, caught.value.status) == ("UnsupportedOperation", 400)


def test_arns_carry_the_region_of_the_signature(plane: Any) -> None:
    headers = {"x-amz-target": "SageMaker.CreateModelPackageGroup", **signed("sagemaker", "eu-west-1")}
    answer = ask(plane, Request("POST", "/", "", headers, b'{"ModelPackageGroupName": "g"}'))
    arn = "arn:aws:sagemaker:eu-west-1:123456789012:model-package-group/g"
    assert json.loads(answer.body) == {"ModelPackageGroupArn": arn}


def test_a_defect_of_ours_is_an_internal_failure_and_not_a_broken_connection(
    plane: Any, refused: Any
) -> None:
    plane.sagemaker.parts[0]._clock = None
    plane.store.create_bucket("models", "us-east-1")
    with pytest.raises(refused, match="InternalFailure") as caught:
        plane.model("m")
    assert caught.value.status == 500


def test_faults_come_over_the_local_api_and_go_again(plane: Any, refused: Any) -> None:
    wanted = {"operation": "ListModels", "code": "ThrottlingException", "times": None}
    answer = ask(plane, Request("POST", "/_local/faults", "", {}, json.dumps(wanted).encode()))
    assert answer.status == 200
    with pytest.raises(refused, match="ThrottlingException: Rate exceeded"):
        plane.call("ListModels")
    ask(plane, Request("DELETE", "/_local/faults", "", {}))
    assert plane.call("ListModels") == {"Models": []}


def test_faults_reach_s3_and_the_runtime_too(plane: Any) -> None:
    plane.faults.add({"operation": "ListBuckets", "code": "SlowDown", "status": 503})
    answer = ask(plane, Request("GET", "/", "", signed("s3")))
    assert (answer.status, b"<Code>SlowDown</Code>" in answer.body) == (503, True)
    assert ask(plane, Request("GET", "/", "", signed("s3"))).status == 200
    plane.faults.add({"operation": "InvokeEndpoint", "code": "ServiceUnavailable", "status": 503})
    answer = ask(plane, Request("POST", "/endpoints/e/invocations", "", signed("sagemaker")))
    assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (503, "ServiceUnavailable")
    assert ask(plane, Request("POST", "/endpoints/e/invocations", "", signed("sagemaker"))).status == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/_local/health", b"", 200),
        ("GET", "/_local/state", b"", 200),
        ("GET", "/_local/nothing", b"", 404),
        ("POST", "/_local/faults", b"[]", 400),
        ("POST", "/_local/faults", b"{", 400),
        ("POST", "/_local/faults", b'{"delay": -1}', 400),
    ],
)
def test_the_local_api_answers_json(plane: Any, method: str, path: str, body: bytes, status: int) -> None:
    answer = ask(plane, Request(method, path, "", {}, body))
    assert answer.status == status
    assert isinstance(json.loads(answer.body), dict)
    if status >= 400:
        assert json.loads(answer.body)["error"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/_local/faults", b'{"delay": 1}'),
        ("POST", "/service/SageMaker/operation/ListModels", b"\xa0"),
        ("PUT", "/a-bucket", b""),
        ("POST", "/endpoints/e/invocations", b"1"),
    ],
    ids=["faults", "control plane", "s3", "runtime"],
)
@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", "http://rebound.example:4566"])
def test_what_a_browser_sends_for_a_page_is_refused(
    plane: Any, method: str, path: str, body: bytes, origin: str
) -> None:
    headers = {"content-type": "text/plain", "host": origin.rpartition("/")[2], "origin": origin}
    answer = ask(plane, Request(method, path, "", headers, body))
    assert (answer.status, b"serves no pages" in answer.body) == (403, True)
    assert json.loads(ask(plane, Request("GET", "/_local/faults", "", {})).body) == {"faults": []}
