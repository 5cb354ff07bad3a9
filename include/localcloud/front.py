"""One port for everything: whose request is it, and what does it get back."""

import json
import logging
import urllib.parse
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from typing import Protocol as Interface

from include.localcloud.clock import Clock
from include.localcloud.faults import Faults
from include.localcloud.http import Request, Respond, Response
from include.localcloud.protocol import AwsError, Protocol
from include.localcloud.s3.address import is_bucket_host
from include.localcloud.scope import enter, scope_of

log = logging.getLogger(__name__)

Operation = Callable[[dict[str, Any]], Awaitable[Mapping[str, Any] | None]]

_INVOCATIONS = "/invocations"
_ENDPOINTS = "/endpoints/"
# Nothing is signed for, so a page that somebody looks at could upload a script and have it run: browsers name the page
# in Origin, also where a name server sends the page's own host name to this machine.
_FROM_A_PAGE = b"The local cloud serves no pages in browsers; use an SDK or the command line.\n"
_POLLED = ("Describe", "List", "Get", "Put")  # logged at debug level: clients repeat them all the time


class Gateway(Interface):
    """What the front needs of the runtime."""

    def begin(self, endpoint: str, request: Request, respond: Respond) -> None: ...
    async def flush(self) -> None: ...


class Backend(Interface):
    """Anything that answers whole requests of a region: S3, and whatever else is behind the front."""

    async def handle(self, request: Request, region: str) -> Response: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A control plane: a protocol and the operations that are there."""

    protocol: Protocol
    operations: Mapping[str, Operation]
    reads_metrics: bool = False  # what the gateway still holds is published before its reads

    @classmethod
    def of(cls, protocol: Protocol, parts: Iterable[object], *, reads_metrics: bool = False) -> "Service":
        """Collect every method of the parts that is named like an operation of the service's model."""
        names = protocol.service_model.operation_names
        operations = {name: getattr(part, name) for part in parts for name in names if hasattr(part, name)}
        return cls(protocol=protocol, operations=operations, reads_metrics=reads_metrics)


class Front:
    """Routes each request to the runtime, a control plane, S3, the local API or the services behind."""

    def __init__(
        self,
        *,
        gateway: Gateway,
        services: Iterable[Service],
        s3: Backend,
        local: Backend,
        others: Backend,
        faults: Faults,
        clock: Clock,
    ) -> None:
        self._gateway = gateway
        self._services = tuple(services)
        self._s3 = s3
        self._local = local
        self._others = others
        self._faults = faults
        self._clock = clock

    def begin(self, request: Request, respond: Respond) -> bool:
        """Begin an invocation, without a task; tell whether the request is one. `respond` may be called at once.

        A request that a browser made for some page is refused here, whatever it is.
        """
        if "origin" in request.headers:
            respond(Response(403, {"Content-Type": "text/plain"}, _FROM_A_PAGE))
            return True
        endpoint = self._invoked(request)
        if endpoint is None:
            return False
        refusal = self._runtime_fault() if self._faults.calls else None
        if refusal is None:
            self._gateway.begin(endpoint, request, respond)
        else:
            respond(refusal)
        return True

    async def handle(self, request: Request) -> Response:
        """Answer one request that `begin` left; never raises."""
        if request.path.startswith("/_local/"):
            return await self._local.handle(request, "")
        scope = scope_of(request)
        enter(scope)
        for service in self._services:
            if service.protocol.recognises(request):
                return await self._operate(service, request)
        backend = self._s3 if self._is_s3(request, scope.service) else self._others
        try:
            return await backend.handle(request, scope.region or "us-east-1")
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            return Response(500, {"Content-Type": "text/plain"}, b"InternalError")

    @staticmethod
    def _invoked(request: Request) -> str | None:
        """Return the endpoint that a request invokes, or None: an object in a bucket `endpoints` has such a path too."""
        path = request.path
        if not (path.endswith(_INVOCATIONS) and path.startswith(_ENDPOINTS)):
            return None
        authorization = request.headers.get("authorization", "")
        if ("/s3/" in authorization or request.query) and scope_of(request).service == "s3":
            return None
        return urllib.parse.unquote(path[len(_ENDPOINTS) : -len(_INVOCATIONS)])

    def _runtime_fault(self) -> Response | None:
        try:
            self._faults.raise_for("InvokeEndpoint")
        except AwsError as error:
            headers = {"Content-Type": "application/json", "x-amzn-ErrorType": error.code}
            return Response(error.status, headers, json.dumps({"Message": error.message}).encode())
        return None

    @staticmethod
    def _is_s3(request: Request, service: str) -> bool:
        if service:
            return service == "s3"
        unsigned_rpc = "x-amz-target" in request.headers or b"Action=" in request.body[:4096]
        return is_bucket_host(request.headers) or not unsigned_rpc

    async def _operate(self, service: Service, request: Request) -> Response:
        protocol = service.protocol
        name = protocol.operation(request)
        started = self._clock.monotonic()
        params: dict[str, Any] = {}
        try:
            operation = service.operations.get(name)
            if operation is None:
                text = f"The local cloud does not support the {protocol.service_name} operation {name}."
                raise AwsError("UnsupportedOperation", text)
            self._faults.raise_for(name)
            _, params = protocol.parse(request)
            if service.reads_metrics and name.startswith(("Get", "List")):
                await self._gateway.flush()
            response = protocol.render(request, name, await operation(params) or {})
            outcome = "ok"
        except AwsError as error:
            response = protocol.render_error(request, error)
            outcome = str(error)
        except Exception:
            log.exception("%s failed", name)
            text = "The request processing has failed because of an unknown error, exception or failure."
            outcome = protocol.internal_failure
            response = protocol.render_error(request, AwsError(outcome, text, 500))
        level = logging.DEBUG if outcome == "ok" and name.startswith(_POLLED) else logging.INFO
        if log.isEnabledFor(level):
            elapsed = (self._clock.monotonic() - started) * 1000
            log.log(level, "%s %s → %s (%.1f ms)", name, _subject(params), outcome, elapsed)
        return response


def _subject(params: Mapping[str, Any]) -> str:
    """Return the first name in the parameters: whom the call was about."""
    for name, value in params.items():
        if isinstance(value, str) and (name.endswith(("Name", "Arn", "Namespace"))):
            return value
    return "-"
