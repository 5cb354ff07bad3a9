"""One InvokeEndpoint request: what is checked, and what the container gets to see of it."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape

from include.localcloud.constraint import broken, detected, fault
from include.localcloud.http import Request
from include.localcloud.runtime.refusal import too_large, validation

# InvokeEndpoint's limit in the service model; it holds for both directions.
LARGEST_BODY = 6_291_456  # bytes

_PREFIX = "x-amzn-sagemaker-"
_FORWARDED = ("content-type", "accept", f"{_PREFIX}custom-attributes", f"{_PREFIX}inference-id")
_UNSUPPORTED = {
    f"{_PREFIX}target-model": "a multi-model endpoint and does not support target model header",
    f"{_PREFIX}target-container-hostname": "a multi-container endpoint and does not support target container hostname header",
    f"{_PREFIX}inference-component": "an inference component endpoint and does not support inference component header",
    f"{_PREFIX}session-id": "a stateful endpoint and does not support session id header",
}


_MEMBERS: Mapping[str, Shape] = (
    ServiceModel(Loader().load_service_model("sagemaker-runtime", "service-2"))
    .operation_model("InvokeEndpoint")
    .input_shape.members
)
_HEADERS = {
    shape.serialization["name"].lower(): name
    for name, shape in _MEMBERS.items()
    if shape.serialization.get("location") == "header"
}


@functools.lru_cache(4096)
def _faults(member: str, value: str) -> tuple[str, ...]:
    """Return what the value breaks of the service model; clients send the same few again and again."""
    path = f"{member[0].lower()}{member[1:]}"
    return tuple(fault(value, _MEMBERS[member], path, text) for text in broken(value, _MEMBERS[member]))


def check_name(endpoint: str) -> None:
    """Raise InvocationError for a name that no endpoint can have."""
    if faults := _faults("EndpointName", endpoint):
        raise validation(detected(faults))


@dataclass(frozen=True, slots=True)
class Invocation:
    """A request as the runtime needs it."""

    content_type: str
    inference_id: str  # "" when the caller sent none
    target_variant: str  # "" for a choice by weight
    body: bytes
    payload: bytes  # the whole HTTP request for the container


def read(endpoint: str, request: Request) -> Invocation:
    """Return the request checked against the service model's limits; raise InvocationError.

    All headers but content type, accept, custom attributes and inference id are kept from the container (that
    these two reach it is our decision: AWS documents only that others are stripped).
    """
    headers, body = request.headers, request.body
    if len(body) > LARGEST_BODY:
        raise too_large(LARGEST_BODY)
    head = [f"POST /invocations HTTP/1.1\r\nhost: instance\r\ncontent-length: {len(body)}\r\n"]
    for name in _FORWARDED:
        value = headers.get(name)
        if value is not None:
            head.append(f"{name}: {value}\r\n")
    faults = [
        text
        for name, member in _HEADERS.items()
        if name in headers
        for text in _faults(member, headers[name])
    ]
    if faults:
        raise validation(detected(faults))
    inference_id = headers.get(f"{_PREFIX}inference-id", "")
    for name, lack in _UNSUPPORTED.items():
        if name in headers:
            raise validation(f"Endpoint {endpoint} is not {lack}.")
    return Invocation(
        content_type=headers.get("content-type", ""),
        inference_id=inference_id,
        target_variant=headers.get(f"{_PREFIX}target-variant", ""),
        body=body,
        payload="".join(head).encode("latin-1", errors="replace") + b"\r\n" + body,
    )
