"""What S3's requests and responses carry in their headers and bodies, apart from the operations."""

import email.utils
from collections.abc import Mapping

from include.localcloud.http import Request
from include.localcloud.s3 import checksum, chunked
from include.localcloud.s3.error import S3Error
from include.localcloud.s3.index import Stored

FULL_OBJECT = {"x-amz-checksum-type": "FULL_OBJECT"}
_KEPT_HEADERS = (
    "content-type",
    "content-encoding",
    "content-disposition",
    "content-language",
    "cache-control",
    "expires",
)
_OVERRIDES = {f"response-{name}": name for name in _KEPT_HEADERS}


def content(request: Request) -> tuple[bytes, Mapping[str, str]]:
    """Return the body without its transfer form and the headers with its trailers; raise if a checksum is wrong."""
    headers = dict(request.headers)
    body = request.body
    if chunked.is_chunked(headers):
        body, trailers = chunked.unchunk(body)
        headers.update(trailers)
    checksum.verify(body, headers)
    return body, headers


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a write that come back with every read of the object."""
    kept = {
        name: value
        for name, value in headers.items()
        if name in _KEPT_HEADERS or name.startswith("x-amz-meta-")
    }
    encodings = [part.strip() for part in kept.pop("content-encoding", "").split(",")]
    encoding = ", ".join(part for part in encodings if part not in {"", "aws-chunked"})
    if encoding:
        kept["content-encoding"] = encoding
    return kept | checksum.claimed(headers)


def described(stored: Stored, headers: Mapping[str, str], query: Mapping[str, str]) -> dict[str, str]:
    """Return the response headers of a read; checksums only for a request that wants them."""
    wants_sums = headers.get("x-amz-checksum-mode", "").upper() == "ENABLED"
    answer = {
        "ETag": f'"{stored.etag}"',
        "Last-Modified": email.utils.formatdate(stored.modified, usegmt=True),
        "Accept-Ranges": "bytes",
        "content-type": "binary/octet-stream",
    }
    answer |= {
        name: value
        for name, value in stored.headers.items()
        if wants_sums or not name.startswith(checksum.PREFIX)
    }
    if wants_sums and checksum.claimed(stored.headers):
        answer |= FULL_OBJECT
    for parameter, name in _OVERRIDES.items():
        if parameter in query:
            answer[name] = query[parameter].replace("\r", " ").replace("\n", " ")  # no header of its own
    return answer


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return (start, length) of a single byte range, None to ignore it; raise InvalidRange (RFC 9110 §14)."""
    if header is None or not header.startswith("bytes=") or "," in header:
        return None
    first, dash, last = header.removeprefix("bytes=").strip().partition("-")
    if not dash or not (first or last) or not (first + last).isdecimal():
        return None
    if first:
        start = int(first)
        end = min(int(last), size - 1) if last else size - 1
        if last and int(last) < start:
            return None
    else:
        start, end = max(0, size - int(last)), size - 1
    if start >= size or (not first and int(last) == 0):
        raise S3Error("InvalidRange", "The requested range is not satisfiable", 416)
    return start, end - start + 1
