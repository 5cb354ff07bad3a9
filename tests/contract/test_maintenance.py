"""An endpoint under AWS's maintenance goes on serving, on other instances, and refuses every change."""

import json
import time
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.contract import provocations


def ask(url: str, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url + path, data), timeout=30) as answer:
        return json.load(answer)


def test_a_maintained_endpoint_serves_on_and_refuses_changes(contract: Any) -> None:
    sagemaker, runtime = contract.client("sagemaker"), contract.client("sagemaker-runtime")
    sagemaker.create_model(**provocations.MODEL | {"ModelName": "m"})
    for name in ("c", "next"):
        sagemaker.create_endpoint_config(**provocations.CONFIG | {"EndpointConfigName": name})
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c")
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="e", WaiterConfig={"Delay": 1})

    def instances() -> list[int]:
        (variant,) = ask(contract.url, "/_local/state")["endpoints"]["e"]["served"]["variants"]
        return [instance["pid"] for instance in variant["instances"]]

    before, old = sagemaker.describe_endpoint(EndpointName="e"), instances()
    ask(contract.url, "/_local/faults", {"maintenance": 3600, "endpoint": "e"})
    deadline = time.monotonic() + 60
    answers = 0
    while instances() == old or answers < 50:
        assert time.monotonic() < deadline
        answer = runtime.invoke_endpoint(EndpointName="e", Body=b"1")
        assert answer["ResponseMetadata"]["RetryAttempts"] == 0
        answers += 1
    assert sagemaker.describe_endpoint(EndpointName="e")["EndpointStatus"] == "SystemUpdating"
    for call, more in (
        (sagemaker.update_endpoint, {"EndpointConfigName": "next"}),
        (sagemaker.delete_endpoint, {}),
    ):
        with pytest.raises(ClientError) as caught:
            call(EndpointName="e", **more)
        assert caught.value.response["Error"]["Code"] == "ValidationException"
        assert "Cannot update in-progress endpoint" in caught.value.response["Error"]["Message"]
    ask(contract.url, "/_local/clock", {"scale": 10_000})
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="e", WaiterConfig={"Delay": 1})
    ask(contract.url, "/_local/clock", {"scale": 1})
    after = sagemaker.describe_endpoint(EndpointName="e")
    assert {**after, "ResponseMetadata": None} == {**before, "ResponseMetadata": None}
    assert contract.broken == []
