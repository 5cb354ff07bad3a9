"""Which bucket and key a request means, in path style and in virtual-host style."""

import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass

from include.localcloud.http import Request

_HOSTS = ("localhost", "localhost.localdomain", "s3.amazonaws.com")


@dataclass(frozen=True, slots=True)
class Address:
    """A bucket ("" is the service itself) and a key ("" is the bucket itself)."""

    bucket: str
    key: str


def addressed(request: Request) -> Address:
    """Return the address: `bucket.localhost/key` (also `bucket.s3.localhost`), else `/bucket/key`."""
    path = urllib.parse.unquote(request.path).removeprefix("/")
    bucket = _host_bucket(request.headers)
    if bucket:
        return Address(bucket, path)
    bucket, _, key = path.partition("/")
    return Address(bucket, key)


def is_bucket_host(headers: Mapping[str, str]) -> bool:
    """Tell whether the Host header names a bucket."""
    return bool(_host_bucket(headers))


def _host_bucket(headers: Mapping[str, str]) -> str:
    host = headers.get("host", "").rsplit(":", 1)[0]
    for base in _HOSTS:
        if host.endswith(f".{base}"):
            bucket = host.removesuffix(f".{base}")
            return "" if bucket == "s3" else bucket.removesuffix(".s3")
    return ""
