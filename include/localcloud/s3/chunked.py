"""Bodies in `aws-chunked` form, with or without chunk signatures and trailing checksums."""

from collections.abc import Mapping


class MalformedChunkError(ValueError):
    """The body is not in the form that its headers announce."""


def is_chunked(headers: Mapping[str, str]) -> bool:
    """Tell whether the request announces an aws-chunked body."""
    return headers.get("x-amz-content-sha256", "").startswith("STREAMING-") or "aws-chunked" in headers.get(
        "content-encoding", ""
    )


def unchunk(body: bytes) -> tuple[bytes, dict[str, str]]:
    """Return the content and the trailing headers (names lower-cased); signatures are not checked.

    Form: `<hex size>[;chunk-signature=…]CRLF <bytes> CRLF`, a chunk of size 0, then `name:value CRLF` lines
    (Amazon S3 API reference, "Signature calculations … chunked upload").
    """
    content: list[bytes] = []
    at = 0
    while True:
        end = body.find(b"\r\n", at)
        if end < 0:
            raise MalformedChunkError("a chunk's size line has no end")
        try:
            size = int(body[at:end].split(b";", 1)[0], 16)
        except ValueError as error:
            raise MalformedChunkError(f"a chunk's size is {body[at:end][:40]!r}") from error
        at = end + 2
        if size == 0:
            return b"".join(content), _trailers(body[at:])
        if at + size + 2 > len(body):
            raise MalformedChunkError("the last chunk is cut off")
        content.append(body[at : at + size])
        at += size + 2


def _trailers(rest: bytes) -> dict[str, str]:
    trailers: dict[str, str] = {}
    for line in rest.decode("latin-1").split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            trailers[name.strip().lower()] = value.strip()
    return trailers
