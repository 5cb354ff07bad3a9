"""One InvokeEndpoint request: what is checked, and what the container gets to see of it."""

import functools
from collections.abc import Mapping
from typing import NamedTuple

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape

from include.localcloud.constraint import broken, detected, fault
from include.localcloud.http import Request
from include.localcloud.runtime.connection import LARGEST_BODY
from include.localcloud.runtime.refusal import too_large, validation

_PREFIX = "x-amzn-sagemaker-"
_FORWARDED = frozenset({"content-type", "accept", f"{_PREFIX}custom-attributes", f"{_PREFIX}inference-id"})
_UNSUPPORTED = {
    f"{_PREFIX}target-model": "a multi-model endpoint and does not support target model header",
    f"{_PREFIX}target-container-hostname": "a multi-container endpoint and does not support target container hostname header",
    f"{_PREFIX}inference-component": "an inference component endpoint and does not support inference component header",
    f"{_PREFIX}session-id": "a stateful endpoint and does not support session id header",
    f"{_PREFIX}enable-explanations": "an endpoint with an explainer and does not support enable explanations header",
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


def _all_faults(headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return what all headers break, in the model's order."""
    present = ((member, headers[name]) for name, member in _HEADERS.items() if name in headers)
    return tuple(text for member, value in present for text in _faults(member, value))


def check_name(endpoint: str) -> None:
    """Raise InvocationError for a name that no endpoint can have."""
    if faults := _faults("EndpointName", endpoint):
        raise validation(detected(faults))


class Invocation(NamedTuple):
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
    head = f"POST /invocations HTTP/1.1\r\nhost: instance\r\ncontent-length: {len(body)}\r\n"
    refused = ""
    for name, value in headers.items():  # few, where the model knows many
        if name not in _HEADERS:
            continue
        if _faults(_HEADERS[name], value):
            raise validation(detected(_all_faults(headers)))
        if name in _FORWARDED:
            head += f"{name}: {value}\r\n"
        elif name in _UNSUPPORTED:
            refused = refused or name
    if refused:
        raise validation(f"Endpoint {endpoint} is not {_UNSUPPORTED[refused]}.")
    return Invocation(
        content_type=headers.get("content-type", ""),
        inference_id=headers.get(f"{_PREFIX}inference-id", ""),
        target_variant=headers.get(f"{_PREFIX}target-variant", ""),
        body=body,
        payload=head.encode("latin-1", errors="replace") + b"\r\n" + body,
    )
