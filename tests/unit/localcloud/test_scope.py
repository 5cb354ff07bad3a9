"""The credential scope, from the header or from a presigned URL."""

import pytest

from include.localcloud.http import Request
from include.localcloud.scope import Scope, scope_of

HEADER = (
    "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/S3/aws4_request, SignedHeaders=host, Signature=0"
)


@pytest.mark.parametrize(
    ("headers", "query", "scope"),
    [
        ({"authorization": HEADER}, "", Scope("eu-west-1", "s3")),
        (
            {},
            "X-Amz-Credential=AKID%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&x=1",
            Scope("us-east-1", "s3"),
        ),
        ({"authorization": "AWS AKID:signature"}, "", Scope("", "")),
        ({}, "", Scope("", "")),
    ],
)
def test_a_scope_is_read_from_wherever_it_is(headers: dict[str, str], query: str, scope: Scope) -> None:
    assert scope_of(Request("GET", "/", query, headers)) == scope
