"""Every service that is not ours goes to moto, through its WSGI dispatcher, in threads of its own.

moto keeps its state in memory only, imports slowly, and raises (or answers HTTP 500 with a page for people, which
clients retry) for an operation that it lacks: here the import happens off the loop, and such an operation gets a
clean error that names it.
"""

import asyncio
import io
import json
import logging
import re
import sys
import urllib.parse
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from xml.sax.saxutils import escape

from include.localcloud.faults import Faults
from include.localcloud.http import Request, Response
from include.localcloud.protocol import AwsError
from include.localcloud.scope import scope_of

_THREADS = 4
_HOP_BY_HOP = {"connection", "content-length", "date", "server", "transfer-encoding"}
_OWNED = {"sagemaker", "monitoring", "s3"}  # ours in full: moto's view of them would be a second truth
_ACTION = re.compile(rb"(?:^|&)Action=([A-Za-z0-9]+)")
_RUNTIME = {
    "/invocations-response-stream": "InvokeEndpointWithResponseStream",
    "/async-invocations": "InvokeEndpointAsync",
}
_HIDDEN = ("moto", "werkzeug")  # their log lines, a request each, add nothing to ours


class Moto:
    """The services behind the front: STS, IAM, SNS, Application Auto Scaling's records and the rest of moto."""

    def __init__(self, faults: Faults | None = None) -> None:
        self._faults = faults or Faults()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="moto")
        self._application: Callable[..., Iterable[bytes]] | None = None
        self._loading: asyncio.Future[Callable[..., Iterable[bytes]]] | None = None

    def warm_up(self) -> None:
        """Begin to import moto in the background; requests that come before wait for it."""
        if self._loading is None:
            self._loading = asyncio.get_running_loop().run_in_executor(self._pool, _load)

    async def handle(self, request: Request, region: str) -> Response:
        """Return moto's answer, or an error that names the operation if moto does not have it."""
        service = scope_of(request).service
        if service in _OWNED:
            return _unsupported(request, service)
        try:
            self._faults.raise_for(_operation(request))
        except AwsError as error:
            return _refusal(request, error.code, error.message, error.status)
        self.warm_up()
        assert self._loading is not None
        application = await self._loading
        loop = asyncio.get_running_loop()
        try:
            response = await loop.run_in_executor(self._pool, _call, application, request)
        except NotImplementedError:
            return _unsupported(request, service)
        if response.status >= 400 and _is_page(response):
            return _unsupported(request, service)
        return response

    def close(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _load() -> Callable[..., Iterable[bytes]]:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    for name in _HIDDEN:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    application: Callable[..., Iterable[bytes]] = DomainDispatcherApplication(create_backend_app)
    return application


def _call(application: Callable[..., Iterable[bytes]], request: Request) -> Response:
    answer: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
        answer["status"] = int(status.split(" ", 1)[0])
        answer["headers"] = {name: value for name, value in headers if name.lower() not in _HOP_BY_HOP}

    chunks = application(_environ(request), start_response)
    try:
        body = b"".join(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    return Response(answer["status"], answer["headers"], body)


def _environ(request: Request) -> dict[str, Any]:
    """Return the request as PEP 3333 wants it."""
    host, _, port = request.headers.get("host", "localhost").partition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": urllib.parse.unquote_to_bytes(request.path).decode("latin-1"),
        "RAW_URI": request.path,
        "REQUEST_URI": request.path,
        "QUERY_STRING": request.query,
        "SERVER_NAME": host,
        "SERVER_PORT": port or "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        environ["CONTENT_TYPE" if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    return environ


def _is_page(response: Response) -> bool:
    """Tell whether this is Flask's page for people: no route, or an operation that moto lacks."""
    types = [value for name, value in response.headers.items() if name.lower() == "content-type"]
    return (
        any(value.startswith("text/html") for value in types) and b"<!doctype" in response.body[:64].lower()
    )


def _operation(request: Request) -> str:
    target = request.headers.get("x-amz-target", "")
    if target:
        return target.rpartition(".")[2]
    for suffix, name in _RUNTIME.items():
        if request.path.endswith(suffix):
            return name
    action = _ACTION.search(request.body) or _ACTION.search(request.query.encode())
    return action[1].decode() if action else f"{request.method} {request.path}"


def _unsupported(request: Request, service: str) -> Response:
    message = f"The local cloud does not support the {service or 'unsigned'} operation {_operation(request)}"
    # CloudWatch's operations are there, in the protocols of today's SDKs
    message += (
        " in the Query protocol; use an SDK that speaks CBOR or JSON." if service == "monitoring" else "."
    )
    return _refusal(request, "UnsupportedOperation", message, 400)


def _refusal(request: Request, code: str, message: str, status: int) -> Response:
    """Return an error in the form that the request's protocol understands: Query's XML, or JSON."""
    if _ACTION.search(request.body):
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
            f"<RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
        )
        return Response(status, {"Content-Type": "text/xml"}, body.encode())
    headers = {
        "Content-Type": request.headers.get("content-type", "application/json"),
        "x-amzn-ErrorType": code,
    }
    return Response(status, headers, json.dumps({"__type": code, "message": message}).encode())
