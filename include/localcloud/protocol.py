"""AWS's wire protocols, driven by botocore's own service models.

Spoken here: JSON 1.1 and 1.0 (`X-Amz-Target`) and smithy-rpc-v2-cbor (`/service/<prefix>/operation/<name>`),
which are what the control planes of SageMaker and CloudWatch use. Input is checked as AWS checks it: botocore's
client-side validator knows required, type and minimum only, so enum, pattern and maximum are checked here too.
"""

import base64
import gzip
import json
import uuid
import zlib
from collections.abc import Mapping
from typing import Any

import cbor2
from botocore.loaders import Loader
from botocore.model import ServiceModel

from include.localcloud.constraint import detected
from include.localcloud.http import Request, Response
from include.localcloud.shape import MalformedInputError, plain, typed

_MAX_INFLATED_BYTES = 64 * 1024 * 1024
_JSON_TYPES = {"1.0": "application/x-amz-json-1.0", "1.1": "application/x-amz-json-1.1"}


class AwsError(Exception):
    """An error as a client of AWS sees it: `code`, `message` and the HTTP `status`."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class Protocol:
    """One service's requests and responses, as its botocore model describes them."""

    def __init__(self, service_name: str) -> None:
        model = Loader().load_service_model(service_name, "service-2")
        self.service_name = service_name
        self.service_model = ServiceModel(model, service_name)
        metadata = self.service_model.metadata
        self._prefix: str = metadata["targetPrefix"]
        self._target = f"{self._prefix}."
        self._path = f"/service/{self._prefix}/operation/"
        self._query_compatible = "awsQueryCompatible" in metadata
        # awsQueryCompatible services name an error by its shape in the body and by its old code in a header
        self._shape_of_code = {
            shape.metadata.get("error", {}).get("code", shape.name): shape.name
            for shape in self.service_model.error_shapes
        }

    @property
    def internal_failure(self) -> str:
        """The code of the service's own failure, HTTP 500: the model's if it has one."""
        return next(
            (code for code, name in self._shape_of_code.items() if name.startswith("InternalService")),
            "InternalFailure",
        )

    def recognises(self, request: Request) -> bool:
        """Tell whether the request is addressed to this service, by target header or RPC path."""
        target = request.headers.get("x-amz-target", "")
        return target.startswith(self._target) or request.path.startswith(self._path)

    def operation(self, request: Request) -> str:
        """Return the operation's name as the request says it, known or not."""
        if request.path.startswith(self._path):
            return request.path.removeprefix(self._path)
        return request.headers.get("x-amz-target", "").removeprefix(self._target)

    def parse(self, request: Request) -> tuple[str, dict[str, Any]]:
        """Return the operation and its typed, validated parameters; raise AwsError if AWS would refuse them."""
        operation = self.operation(request)
        if operation not in self.service_model.operation_names:
            raise AwsError(
                "UnknownOperationException", f"{self.service_name} has no operation {operation!r}."
            )
        shape = self.service_model.operation_model(operation).input_shape
        if shape is None:
            return operation, {}
        try:
            params, faults = typed(self._decode(request), shape)
        except MalformedInputError as error:
            raise AwsError("SerializationException", str(error)) from error
        if faults:
            code = "ValidationError" if self._query_compatible else "ValidationException"
            raise AwsError(code, detected(faults))
        return operation, params

    def render(self, request: Request, operation: str, result: Mapping[str, Any]) -> Response:
        """Return the result in the protocol that the request used; a key its model lacks is a TypeError."""
        shape = self.service_model.operation_model(operation).output_shape
        if self._is_cbor(request):
            body = cbor2.dumps(plain(result, shape, _cbor_time, bytes) if shape is not None else {})
            return Response(200, self._headers(request), body)
        if shape is None:
            return Response(200, self._headers(request))
        return Response(200, self._headers(request), _json(plain(result, shape, _json_time, _json_blob)))

    def render_error(self, request: Request, error: AwsError) -> Response:
        """Return the error in the protocol that the request used."""
        headers = self._headers(request)
        code = error.code
        if self._query_compatible:
            fault = "Sender" if error.status < 500 else "Receiver"
            headers["x-amzn-query-error"] = f"{code};{fault}"
            code = self._shape_of_code.get(code, code)
        body = {"__type": code, "message": error.message}
        return Response(error.status, headers, cbor2.dumps(body) if self._is_cbor(request) else _json(body))

    def _is_cbor(self, request: Request) -> bool:
        return request.path.startswith(self._path)

    def _headers(self, request: Request) -> dict[str, str]:
        request_id = str(uuid.uuid4())
        if self._is_cbor(request):
            return {
                "Content-Type": "application/cbor",
                "smithy-protocol": "rpc-v2-cbor",
                "x-amzn-RequestId": request_id,
            }
        version = "1.0" if "json-1.0" in request.headers.get("content-type", "") else "1.1"
        return {"Content-Type": _JSON_TYPES[version], "x-amzn-RequestId": request_id}

    def _decode(self, request: Request) -> Any:
        body = request.body
        if request.headers.get("content-encoding", "") == "gzip":
            body = _inflate(body)
        if not body:
            return {}
        try:
            return cbor2.loads(body) if self._is_cbor(request) else json.loads(body)
        except (ValueError, cbor2.CBORDecodeError) as error:
            raise MalformedInputError(f"The request body cannot be read: {error}") from error


def _inflate(body: bytes) -> bytes:
    inflater = zlib.decompressobj(wbits=31)
    try:
        inflated = inflater.decompress(body, _MAX_INFLATED_BYTES)
    except (zlib.error, gzip.BadGzipFile) as error:
        raise MalformedInputError(f"The request body is not gzip: {error}") from error
    if inflater.unconsumed_tail:
        raise MalformedInputError(f"The request body inflates to more than {_MAX_INFLATED_BYTES} bytes.")
    return inflated


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _json_time(epoch_seconds: float) -> float:
    return round(epoch_seconds, 3)


def _json_blob(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _cbor_time(epoch_seconds: float) -> cbor2.CBORTag:
    return cbor2.CBORTag(1, epoch_seconds)
