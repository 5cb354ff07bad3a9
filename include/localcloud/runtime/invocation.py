"""One InvokeEndpoint request: what is checked, and what the container gets to see of it."""

from dataclasses import dataclass

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
    inference_id = headers.get(f"{_PREFIX}inference-id", "")
    if len(inference_id) > 64:
        raise validation(f"InferenceId has {len(inference_id)} characters; at most 64 are allowed.")
    if len(headers.get(f"{_PREFIX}custom-attributes", "")) > 1024:
        raise validation("CustomAttributes has more than 1024 characters; at most 1024 are allowed.")
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
