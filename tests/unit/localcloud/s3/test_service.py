"""S3 over HTTP: addresses, ranges, checksums, XML and the names of what is not there."""

import base64
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from include.localcloud.http import Request, Response
from include.localcloud.s3.service import S3Service
from include.localcloud.s3.store import ObjectStore


@pytest.fixture
def ask(store: ObjectStore, run: Callable[[Any], Any]) -> Callable[..., Response]:
    flushed: list[int] = []

    async def flush() -> None:
        flushed.append(1)

    service = S3Service(store, flush)

    def ask(method: str, path: str, query: str = "", body: bytes = b"", **headers: str) -> Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response: Response = run(service.handle(Request(method, path, query, named, body), "us-east-1"))
        return response

    ask.flushed = flushed  # type: ignore[attr-defined]
    return ask


def test_the_bucket_is_in_the_path_or_in_the_host(ask: Any) -> None:
    assert ask("PUT", "/bkt/a%2Fb%20%C3%A9", body=b"1").status == 200
    assert ask("GET", "/bkt/a/b%20%C3%A9").body == b"1"
    assert ask("GET", "/a/b%20%C3%A9", host="bkt.localhost:4566").body == b"1"
    assert ask("GET", "/a/b%20%C3%A9", host="bkt.s3.localhost:4566").body == b"1"
    assert ask("GET", "/bkt/a/b%20%C3%A9", host="s3.localhost").body == b"1"


@pytest.mark.parametrize(
    ("header", "status", "body", "content_range"),
    [
        ("bytes=0-0", 206, b"0", "bytes 0-0/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=3-99", 206, b"3456789", "bytes 3-9/10"),
        ("bytes=10-", 416, None, None),
        ("bytes=-0", 416, None, None),
        ("bytes=5-3", 200, b"0123456789", None),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
    ],
)
def test_ranges(ask: Any, header: str, status: int, body: bytes | None, content_range: str | None) -> None:
    ask("PUT", "/bkt/k", body=b"0123456789")
    answer = ask("GET", "/bkt/k", range=header)
    assert answer.status == status
    assert answer.headers.get("Content-Range") == content_range
    if body is not None:
        assert answer.body == body
    else:
        assert b"<Code>InvalidRange</Code>" in answer.body


def test_a_checksum_is_verified_kept_and_returned_to_who_wants_it(ask: Any) -> None:
    right = base64.b64encode(zlib.crc32(b"body").to_bytes(4, "big")).decode()
    assert (
        ask("PUT", "/bkt/k", body=b"body", x_amz_checksum_crc32=right).headers["x-amz-checksum-crc32"]
        == right
    )
    assert "x-amz-checksum-crc32" not in ask("GET", "/bkt/k").headers
    assert ask("GET", "/bkt/k", x_amz_checksum_mode="ENABLED").headers["x-amz-checksum-crc32"] == right
    wrong = ask("PUT", "/bkt/k", body=b"other", x_amz_checksum_crc32=right)
    assert (wrong.status, b"BadDigest" in wrong.body) == (400, True)
    wrong = ask("PUT", "/bkt/k", body=b"other", content_md5="AAAA")
    assert (wrong.status, b"BadDigest" in wrong.body) == (400, True)
    assert ask("GET", "/bkt/k").body == b"body"


def test_a_trailing_checksum_is_verified_and_the_frame_is_gone(ask: Any) -> None:
    crc = base64.b64encode(zlib.crc32(b"hello").to_bytes(4, "big"))
    framed = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:" + crc + b"\r\n\r\n"
    headers = {
        "content_encoding": "gzip,aws-chunked",
        "x_amz_content_sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    }
    assert ask("PUT", "/bkt/k", body=framed, **headers).status == 200
    answer = ask("GET", "/bkt/k")
    assert (answer.body, answer.headers["content-encoding"]) == (b"hello", "gzip")
    assert ask("PUT", "/bkt/k", body=framed.replace(b"hello", b"jello"), **headers).status == 400


def test_what_is_not_there_is_named_as_aws_names_it(ask: Any) -> None:
    answer = ask("GET", "/bkt/k", "acl")
    assert answer.status == 400
    assert b"does not support the S3 operation GetObjectAcl" in answer.body
    assert b"PutBucketVersioning" in ask("PUT", "/bkt", "versioning", b"<x/>").body
    assert b"PutBucketLifecycleConfiguration" in ask("PUT", "/bkt", "lifecycle", b"<x/>").body


def test_listings_see_what_was_captured_until_now(ask: Any) -> None:
    ask("GET", "/bkt", "list-type=2")
    assert ask.flushed == [1]


def test_an_error_about_a_head_has_no_body(ask: Any) -> None:
    assert (ask("HEAD", "/bkt/none").status, ask("HEAD", "/bkt/none").body) == (404, b"")
    assert ask("HEAD", "/nobucket").status == 404
    assert b"<Code>NoSuchBucket</Code>" in ask("GET", "/nobucket", "list-type=2").body


def test_a_document_with_entities_is_refused(ask: Any) -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><Delete><Object><Key>&a;</Key></Object></Delete>'
    answer = ask("POST", "/bkt", "delete", bomb)
    assert (answer.status, b"MalformedXML" in answer.body) == (400, True)


def test_a_response_header_asked_for_in_the_query_adds_no_header_of_its_own(ask: Any) -> None:
    ask("PUT", "/bkt/k", body=b"1")
    answer = ask("GET", "/bkt/k", "response-content-type=text%2Fplain%0d%0aX-Evil%3A+1")
    assert answer.headers["content-type"] == "text/plain  X-Evil: 1"


def test_a_version_that_cannot_be_reads_and_deletes_nothing(ask: Any) -> None:
    ask("PUT", "/bkt/k", body=b"1")
    for method in ("GET", "HEAD", "DELETE"):
        assert ask(method, "/bkt/k", "versionId=3sL4kqtJlcpXroDTDmJ").status == 400
    named = b"<Delete><Object><Key>k</Key><VersionId>3sL4kqtJlcpXroDTDmJ</VersionId></Object></Delete>"
    assert b"<Code>InvalidArgument</Code>" in ask("POST", "/bkt", "delete", named).body
    assert ask("GET", "/bkt/k", "versionId=null").body == b"1"


def test_deleting_several_heeds_the_entity_tag_of_each(ask: Any) -> None:
    tags = {key: ask("PUT", f"/bkt/{key}", body=key.encode()).headers["ETag"] for key in ("a", "b", "c")}
    objects = f"<Object><Key>a</Key><ETag>{tags['a']}</ETag></Object>"
    objects += f"<Object><Key>b</Key><ETag>{tags['a']}</ETag></Object><Object><Key>c</Key></Object>"
    answer = ask("POST", "/bkt", "delete", f"<Delete>{objects}</Delete>".encode()).body
    assert answer.count(b"<Deleted>") == 2
    assert b"<Error><Key>b</Key><Code>PreconditionFailed</Code>" in answer
    assert [ask("GET", f"/bkt/{key}").status for key in ("a", "b", "c")] == [404, 200, 404]


def test_numbers_that_are_none_are_invalid_arguments(ask: Any) -> None:
    ask("PUT", "/bkt/k", body=b"1")
    part = "<Part><PartNumber>one</PartNumber><ETag>e</ETag></Part>"
    whole = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
    for answer in (
        ask("POST", "/bkt/k", "uploadId=u", whole),
        ask("PUT", "/bkt/k", "uploadId=u&partNumber=%C2%B2", b"1"),
        ask("GET", "/bkt", "max-keys=%C2%B2"),
    ):
        assert (answer.status, b"<Code>InvalidArgument</Code>" in answer.body) == (400, True)
    assert ask("GET", "/bkt/k", range="bytes=\xb2-").status == 200
