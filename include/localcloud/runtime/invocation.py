"""One InvokeEndpoint request: what is checked, and what the container gets to see of it."""

import functools
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


def _modelled() -> dict[str, tuple[str, Shape]]:
    """Return, by header, what the service model says of InvokeEndpoint's members, and their names as AWS tells them."""
    model = ServiceModel(Loader().load_service_model("sagemaker-runtime", "service-2"), "sagemaker-runtime")
    members = model.operation_model("InvokeEndpoint").input_shape.members
    return {
        shape.serialization["name"].lower(): (f"{name[0].lower()}{name[1:]}", shape)
        for name, shape in members.items()
        if shape.serialization.get("location") == "header"
    }


_MODELLED = _modelled()


@functools.lru_cache(4096)
def _faults(header: str, value: str) -> tuple[str, ...]:
    """Return what the header's value breaks of the service model; clients send the same few again and again."""
    path, shape = _MODELLED[header]
    return tuple(fault(value, shape, path, text) for text in broken(value, shape))


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
    faults = [text for name in headers.keys() & _MODELLED.keys() for text in _faults(name, headers[name])]
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
