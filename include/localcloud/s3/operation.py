"""Which S3 operation a request is, and the name of one that is not supported."""

import functools
from collections.abc import Mapping

from botocore.loaders import Loader

from include.localcloud.s3.address import Address

# (method, level, what the query must hold, header that must be there) → operation; the first match counts
_ROUTES: tuple[tuple[str, str, tuple[str, ...], str, str], ...] = (
    ("GET", "service", (), "", "ListBuckets"),
    ("GET", "bucket", ("location",), "", "GetBucketLocation"),
    ("GET", "bucket", ("versioning",), "", "GetBucketVersioning"),
    ("GET", "bucket", ("uploads",), "", "ListMultipartUploads"),
    ("GET", "bucket", ("list-type",), "", "ListObjectsV2"),
    ("GET", "bucket", (), "", "ListObjects"),
    ("PUT", "bucket", (), "", "CreateBucket"),
    ("HEAD", "bucket", (), "", "HeadBucket"),
    ("DELETE", "bucket", (), "", "DeleteBucket"),
    ("POST", "bucket", ("delete",), "", "DeleteObjects"),
    ("GET", "object", ("uploadId",), "", "ListParts"),
    ("GET", "object", (), "", "GetObject"),
    ("HEAD", "object", (), "", "HeadObject"),
    ("PUT", "object", ("partNumber", "uploadId"), "x-amz-copy-source", "UploadPartCopy"),
    ("PUT", "object", ("partNumber", "uploadId"), "", "UploadPart"),
    ("PUT", "object", (), "x-amz-copy-source", "CopyObject"),
    ("PUT", "object", (), "", "PutObject"),
    ("POST", "object", ("uploads",), "", "CreateMultipartUpload"),
    ("POST", "object", ("uploadId",), "", "CompleteMultipartUpload"),
    ("DELETE", "object", ("uploadId",), "", "AbortMultipartUpload"),
    ("DELETE", "object", (), "", "DeleteObject"),
)
OPERATIONS = tuple(dict.fromkeys(route[4] for route in _ROUTES))


def supported(
    method: str, address: Address, query: Mapping[str, str], headers: Mapping[str, str]
) -> str | None:
    """Return the operation, or None when the request asks for a sub-resource that is not there."""
    asked = query.keys() & _subresources()
    level = _level(address)
    for route_method, route_level, needed, header, operation in _ROUTES:
        if (
            (route_method, route_level) == (method, level)
            and asked == set(needed)
            and (not header or header in headers)
        ):
            return operation
    return None


def named(method: str, address: Address, query: Mapping[str, str]) -> str:
    """Return the name of AWS's operation for a request that is not supported, for the error's text."""
    level = _level(address)
    for name, model_method, model_level, subresource in _model():
        if (model_method, model_level) == (method, level) and subresource and subresource in query:
            return name
    asked = " and ".join(sorted(query.keys() & _subresources()))
    return f"{method} {level}" + (f" with {asked}" if asked else "")


def _level(address: Address) -> str:
    if not address.bucket:
        return "service"
    return "object" if address.key else "bucket"


@functools.cache
def _model() -> tuple[tuple[str, str, str, str], ...]:
    operations = Loader().load_service_model("s3", "service-2")["operations"]
    rows = []
    for name, operation in operations.items():
        if operation.get("deprecated"):
            continue
        path, _, query = operation["http"]["requestUri"].partition("?")
        level = "object" if "{Key+}" in path else "bucket" if "{Bucket}" in path else "service"
        rows.append((name, operation["http"]["method"], level, query.split("&")[0].split("=")[0]))
    return tuple(rows)


@functools.cache
def _subresources() -> frozenset[str]:
    """Return every query parameter that makes a request another operation than the one without it."""
    ours = {name for route in _ROUTES for name in route[2]}
    theirs = {subresource for _, _, _, subresource in _model()}
    return frozenset(ours | theirs) - {"", "x-id"}
