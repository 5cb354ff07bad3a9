"""The checksums that a client sends with a body: verified where Python can compute them, stored in any case."""

import base64
import hashlib
import zlib
from collections.abc import Callable, Mapping

PREFIX = "x-amz-checksum-"
_ALGORITHMS = ("crc32", "crc32c", "crc64nvme", "sha1", "sha256")
# CRC-32C and CRC-64/NVME are not in the standard library: they are kept and returned, not verified
_COMPUTED: dict[str, Callable[[bytes], bytes]] = {
    "crc32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "sha1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "sha256": lambda body: hashlib.sha256(body).digest(),
}


class BadDigestError(ValueError):
    """A checksum does not belong to the body; the text names the algorithm."""


def claimed(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the `x-amz-checksum-…` headers among these."""
    return {
        name: value
        for algorithm in _ALGORITHMS
        if (value := headers.get(name := PREFIX + algorithm)) is not None
    }


def verify(body: bytes, headers: Mapping[str, str]) -> None:
    """Raise BadDigestError when a checksum or Content-MD5 among the headers is not the body's."""
    for name, value in claimed(headers).items():
        compute = _COMPUTED.get(name.removeprefix(PREFIX))
        if compute is not None and base64.b64encode(compute(body)).decode() != value:
            raise BadDigestError(name.removeprefix(PREFIX).upper())
    md5 = headers.get("content-md5")
    if md5 is not None:
        digest = hashlib.md5(body, usedforsecurity=False).digest()
        if base64.b64encode(digest).decode() != md5:
            raise BadDigestError("MD5")
