"""Signature version 4 for InvokeEndpoint, with everything cached that does not change.

The algorithm is AWS's "Signature Version 4 signing process"; what is signed, and how values are
normalised, follows botocore's SigV4Auth, against which this is tested.
"""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import quote

from include.replay.target import Credentials, Target

if TYPE_CHECKING:
    from hashlib import _Hash as HASH

INFERENCE_ID_HEADER = "X-Amzn-SageMaker-Inference-Id"

_SERVICE = "sagemaker"
_BLOCK = 64  # bytes of a SHA-256 block
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_UNSIGNED = {  # botocore.auth.SIGNED_HEADERS_BLACKLIST
    "baggage",
    "connection",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-amzn-trace-id",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """A request with three holes: the inference id, the payload's hash and the signature.

    The hashes have taken in all that stands before their first hole; a copy takes in the rest.
    """

    canonical: HASH
    canonical_after: str  # between the inference id and the payload's hash
    inner: HASH  # HMAC's two passes (RFC 2104), the inner one up to the canonical request's hash
    outer: HASH
    wire_before: str
    wire_after: str  # between the inference id and the signature


class Signature:
    """Writes signed InvokeEndpoint requests; one for each target.

    Everything but the inference id and the body's hash is constant within one second and one
    content type, so it is laid out and hashed once in that second; the signing key is derived once
    a day and once for each set of credentials.
    """

    def __init__(self, target: Target, credentials: Credentials | None) -> None:
        self._target = target
        self._credentials = credentials
        self._second = -1
        self._forms: dict[str | None, _Form] = {}
        self._key: tuple[str, bytes] = ("", b"")

    def rotate(self, credentials: Credentials | None) -> None:
        """Sign with these credentials from now on."""
        if credentials != self._credentials:
            self._credentials = credentials
            self._second = -1
            self._key = ("", b"")

    def message(self, body: bytes, content_type: str | None, inference_id: str, now: float) -> bytes:
        """Return the whole HTTP request, signed for this body at `now` (epoch seconds)."""
        second = int(now)
        if second != self._second:
            self._second = second
            self._forms.clear()
        form = self._forms.get(content_type)
        if form is None:
            form = self._forms[content_type] = self._lay_out(content_type)
        if self._credentials is None:
            return f"{form.wire_before}{inference_id}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        canonical = form.canonical.copy()
        canonical.update(f"{inference_id}{form.canonical_after}{sha256(body).hexdigest()}".encode())
        inner = form.inner.copy()
        inner.update(canonical.hexdigest().encode())
        outer = form.outer.copy()
        outer.update(inner.digest())
        head = f"{form.wire_before}{inference_id}{form.wire_after}{outer.hexdigest()}\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body

    def _lay_out(self, content_type: str | None) -> _Form:
        target, credentials = self._target, self._credentials
        headers = dict(target.all_headers)
        if content_type is not None:
            headers["Content-Type"] = content_type
        headers["Host"] = target.host_header
        line = f"POST {target.path} HTTP/1.1\r\n"
        if credentials is None:
            return _Form(
                canonical=sha256(),
                canonical_after="",
                inner=sha256(),
                outer=sha256(),
                wire_before=_on_the_wire(line, headers),
                wire_after="",
            )
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._second))
        headers["X-Amz-Date"] = stamp
        if credentials.token is not None:
            headers["X-Amz-Security-Token"] = credentials.token
        values = {
            name.lower(): " ".join(value.split())
            for name, value in headers.items()
            if name.lower() not in _UNSIGNED
        }
        values[INFERENCE_ID_HEADER.lower()] = ""
        names = sorted(values)
        cut = names.index(INFERENCE_ID_HEADER.lower()) + 1
        signed = ";".join(names)
        path = quote(target.path, safe="/~")
        before = "".join(f"{name}:{values[name]}\n" for name in names[:cut]).removesuffix("\n")
        after = "".join(f"\n{name}:{values[name]}" for name in names[cut:])
        scope = f"{stamp[:8]}/{target.region}/{_SERVICE}/aws4_request"
        authorization = (
            f"\r\nAuthorization: AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={signed}, Signature="
        )
        key = self._signing_key(credentials, stamp[:8]).ljust(_BLOCK, b"\0")
        to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n".encode()
        return _Form(
            canonical=sha256(f"POST\n{path}\n\n{before}".encode()),
            canonical_after=f"{after}\n\n{signed}\n",
            inner=sha256(key.translate(_INNER) + to_sign),
            outer=sha256(key.translate(_OUTER)),
            wire_before=_on_the_wire(line, headers),
            wire_after=authorization,
        )

    def _signing_key(self, credentials: Credentials, day: str) -> bytes:
        if self._key[0] != day:
            key = f"AWS4{credentials.secret_key}".encode()
            for part in (day, self._target.region, _SERVICE, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key = (day, key)
        return self._key[1]


def _on_the_wire(line: str, headers: dict[str, str]) -> str:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{line}{lines}{INFERENCE_ID_HEADER}: "
