"""A local cloud, and clients whose every response is compared with botocore's service model as it passes."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import cbor2
import pytest
from botocore.model import OperationModel, Shape

PROJECT = Path(__file__).resolve().parents[2]
_JSON_TYPES = {
    "structure": dict,
    "map": dict,
    "list": list,
    "string": str,
    "integer": int,
    "long": int,
    "boolean": bool,
    "double": (int, float),
    "float": (int, float),
}


class Contract:
    """Hands out clients and collects what their responses break."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.seen: dict[str, set[str]] = {}
        self.broken: list[str] = []

    def client(self, service: str) -> Any:
        client = boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )
        client.meta.events.register(f"before-parse.{service}", self._check)
        return client

    def _check(self, operation_model: OperationModel, response_dict: dict[str, Any], **_: Any) -> None:
        if response_dict["status_code"] >= 300:
            return
        name = operation_model.name
        self.seen.setdefault(operation_model.service_model.service_name, set()).add(name)
        shape, body = operation_model.output_shape, response_dict["body"]
        headers = response_dict["headers"]
        if shape is None or operation_model.service_model.metadata["protocol"].startswith("rest-"):
            return
        cbor = headers.get("content-type", "") == "application/cbor"
        self.broken += breaches(cbor2.loads(body) if cbor else json.loads(body), shape, name, times=cbor)


def breaches(value: Any, shape: Shape, path: str, *, times: bool) -> list[str]:
    """Return what a response's value breaks of its shape; `times` says that timestamps are typed on the wire."""
    kind = shape.type_name
    if kind == "timestamp":
        right = hasattr(value, "timestamp") if times else isinstance(value, int | float)
        return [] if right else [f"{path} is {value!r}, not a time"]
    expected = _JSON_TYPES.get(kind)
    if expected is None or not isinstance(value, expected) or (kind != "boolean" and isinstance(value, bool)):
        return [f"{path} is {value!r}, not a {kind}"]
    found: list[str] = []
    if kind == "structure":
        found += [f"{path}.{name} is not in the model" for name in value.keys() - shape.members.keys()]
        found += [f"{path}.{name} is missing" for name in shape.required_members if name not in value]
        for name in value.keys() & shape.members.keys():
            found += breaches(value[name], shape.members[name], f"{path}.{name}", times=times)
    elif kind == "list":
        for item in value:
            found += breaches(item, shape.member, f"{path}[]", times=times)
    elif kind == "map":
        for item in value.values():
            found += breaches(item, shape.value, f"{path}{{}}", times=times)
    return found + _constraints(value, shape, path)


def _constraints(value: Any, shape: Shape, path: str) -> list[str]:
    metadata = shape.metadata
    size = len(value) if hasattr(value, "__len__") else value
    if shape.type_name in {"structure", "boolean"}:
        return []
    if "enum" in metadata and value not in metadata["enum"]:
        return [f"{path} is {value!r}, not in the enum"]
    if ("min" in metadata and size < metadata["min"]) or ("max" in metadata and size > metadata["max"]):
        return [f"{path} is {value!r}, out of bounds"]
    pattern = metadata.get("pattern")
    if pattern and value and not _matches(pattern, value):
        return [f"{path} is {value!r}, against the pattern {pattern}"]
    return []


def _matches(pattern: str, value: str) -> bool:
    """Tell whether the value has the pattern; those in Java's own dialect are not checked."""
    try:
        return re.fullmatch(pattern, value) is not None
    except re.error:
        return True


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Contract]:
    command = [sys.executable, "-m", "include.localcloud", "--port", "0"]
    command += ["--state", str(tmp_path_factory.mktemp("cloud"))]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield Contract(process.stdout.readline().split()[1])
    process.terminate()
    assert process.wait(40) == 0
    process.stdout.close()


@pytest.fixture(name="breaches")
def _breaches() -> Any:
    return breaches
