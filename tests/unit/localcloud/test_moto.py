"""Services behind the front: real answers where moto has them, named errors where it has not."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from include.localcloud.faults import Faults
from include.localcloud.http import Request, Response
from include.localcloud.moto import Moto

AUTH = "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"


@pytest.fixture(scope="module")
def faults() -> Faults:
    return Faults()


@pytest.fixture(scope="module")
def ask(faults: Faults) -> Iterator[Any]:
    with asyncio.Runner() as runner:
        moto = Moto(faults)

        def ask(service: str, body: bytes, path: str = "/", **headers: str) -> Response:
            named = {"authorization": AUTH.format(service), "host": "127.0.0.1:4566"}
            named |= {name.replace("_", "-"): value for name, value in headers.items()}
            response: Response = runner.run(moto.handle(Request("POST", path, "", named, body), "us-east-1"))
            return response

        yield ask
        moto.close()


FORM = "application/x-www-form-urlencoded"


def test_a_service_of_moto_answers(ask: Any) -> None:
    answer = ask("sts", b"Action=GetCallerIdentity&Version=2011-06-15", content_type=FORM)
    assert answer.status == 200
    assert b"<Account>123456789012</Account>" in answer.body


def test_an_operation_that_moto_lacks_is_named_in_the_form_of_its_protocol(ask: Any) -> None:
    target = "AnyScaleFrontendService.DescribeScalingActivities"
    answer = ask(
        "application-autoscaling", b"{}", x_amz_target=target, content_type="application/x-amz-json-1.1"
    )
    body = json.loads(answer.body)
    assert (answer.status, body["__type"]) == (400, "UnsupportedOperation")
    assert "the application-autoscaling operation DescribeScalingActivities" in body["message"]
    answer = ask("iam", b"Action=ListDelegationRequests&Version=2010-05-08", content_type=FORM)
    assert (answer.status, b"<Code>UnsupportedOperation</Code>" in answer.body) == (400, True)


@pytest.mark.parametrize(
    ("service", "path", "body", "named"),
    [
        (
            "monitoring",
            "/",
            b"Action=ListMetrics&Version=2010-08-01",
            b"monitoring operation ListMetrics in the Query protocol",
        ),
        ("sagemaker", "/endpoints/e/async-invocations", b"", b"operation InvokeEndpointAsync"),
        ("sagemaker", "/endpoints/e/invocations-response-stream", b"", b"InvokeEndpointWithResponseStream"),
    ],
)
def test_what_is_ours_never_reaches_moto(
    ask: Any, service: str, path: str, body: bytes, named: bytes
) -> None:
    answer = ask(service, body, path)
    assert answer.status == 400
    assert named in answer.body


def test_faults_are_answered_for_moto_too(ask: Any, faults: Faults) -> None:
    faults.add({"operation": "GetCallerIdentity", "code": "Throttling", "message": "slow down"})
    answer = ask("sts", b"Action=GetCallerIdentity&Version=2011-06-15", content_type=FORM)
    assert (answer.status, b"<Code>Throttling</Code>" in answer.body) == (400, True)
