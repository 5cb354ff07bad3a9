"""Faults over the local cloud's own API, as a test of a rollout asks for them."""

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def endpoint(program: Any, hosting: Any) -> Iterator[str]:
    hosted = hosting(program)
    with contextlib.suppress(ClientError):  # the program is shared: another test may have made them
        hosted.model("answering", LOCAL_ANSWER="0.25")
        hosted.config("disturbed", "answering", "answering")
        hosted.create("disturbed", "disturbed")
    yield "disturbed"
    forget(program)


def forget(program: Any) -> None:
    urllib.request.urlopen(
        urllib.request.Request(f"{program.url}/_local/faults", method="DELETE"), timeout=10
    )


def invoke(program: Any, body: bytes = b"1") -> bytes:
    runtime = program.client("sagemaker-runtime", retries={"total_max_attempts": 1})
    answer: bytes = runtime.invoke_endpoint(EndpointName="disturbed", Body=body, ContentType="text/csv")[
        "Body"
    ].read()
    return answer


def test_wrong_answers_and_errors_last_until_they_are_taken_back(program: Any, endpoint: str) -> None:
    asked = {"wrong": 1.0, "endpoint": endpoint, "variant": "production"}
    assert program.ask("/_local/faults", asked) == {"faults": [asked]}
    assert invoke(program) == b"0.75"
    program.ask("/_local/faults", {"errors": 1.0, "status": 500, "endpoint": endpoint})
    with pytest.raises(ClientError) as caught:
        invoke(program)
    assert caught.value.response["Error"]["Code"] == "ModelError"
    assert caught.value.response["OriginalStatusCode"] == 500
    forget(program)
    assert program.ask("/_local/faults") == {"faults": []}
    assert invoke(program) == b"0.25"


def test_a_fault_of_the_shadow_reaches_no_caller(program: Any, endpoint: str, wait_until: Any) -> None:
    program.ask("/_local/faults", {"errors": 1.0, "endpoint": endpoint, "variant": "shadow"})

    def failed() -> int:
        variants = program.ask("/_local/state")["endpoints"][endpoint]["served"]["variants"]
        return next(int(each["failed"]) for each in variants if each["variant"] == "shadow")

    before = failed()
    assert [invoke(program) for _ in range(5)] == [b"0.25"] * 5
    assert wait_until(lambda: failed() == before + 5)


def test_a_crashed_instance_is_another_process_afterwards(
    program: Any, endpoint: str, wait_until: Any, is_alive: Any
) -> None:
    (before,) = program.instances(endpoint)["production"]
    program.ask("/_local/faults", {"crash": 1, "endpoint": endpoint, "variant": "production"})
    assert wait_until(lambda: not is_alive(before))

    def back() -> bool:
        with contextlib.suppress(ClientError):
            return invoke(program) == b"0.25"
        return False

    assert wait_until(back)
    assert program.instances(endpoint)["production"] != [before]


def test_a_fault_that_makes_no_sense_is_refused_in_a_sentence(program: Any) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        program.ask("/_local/faults", {"latency": "sometimes", "ms": 3})
    assert caught.value.code == 400
    assert json.load(caught.value)["error"].startswith("latency is 'sometimes'; allowed are 'constant'")
