"""For which service and region a request was signed. Signatures themselves are not checked."""

import contextvars
import re
import urllib.parse
from dataclasses import dataclass

from include.localcloud.http import Request

ACCOUNT = "123456789012"
DEFAULT_REGION = "us-east-1"

_REGION: contextvars.ContextVar[str] = contextvars.ContextVar("region", default=DEFAULT_REGION)
_CREDENTIAL = re.compile(r"Credential=[^/]+/\d{8}/([^/]+)/([^/]+)/aws4_request")


@dataclass(frozen=True, slots=True)
class Scope:
    """The credential scope of a SigV4 signature; both are "" for an unsigned request."""

    region: str
    service: str


def scope_of(request: Request) -> Scope:
    """Return the scope from the Authorization header, or from a presigned URL's query."""
    found = _CREDENTIAL.search(request.headers.get("authorization", ""))
    if found is None and "X-Amz-Credential=" in request.query:
        credential = urllib.parse.unquote(request.query).replace("X-Amz-Credential=", "Credential=")
        found = _CREDENTIAL.search(credential)
    return Scope("", "") if found is None else Scope(found[1], found[2].lower())


def enter(scope: Scope) -> None:
    """Make the scope's region the current task's region."""
    _REGION.set(scope.region or DEFAULT_REGION)


def region() -> str:
    """Return the region that the current request was signed for."""
    return _REGION.get()


def arn(service: str, resource: str) -> str:
    """Return the ARN of a resource in the current region and the one account."""
    return f"arn:aws:{service}:{region()}:{ACCOUNT}:{resource}"
