"""aws-chunked bodies lose their frame, keep their trailers, and are refused when cut off."""

import pytest

from include.localcloud.s3.chunked import MalformedChunkError, is_chunked, unchunk


def test_chunks_join_and_trailers_are_headers() -> None:
    body = b"5;chunk-signature=ab\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n"
    assert unchunk(body) == (b"hello world", {"x-amz-checksum-crc32": "AAAA"})


def test_an_empty_body_is_one_empty_chunk() -> None:
    assert unchunk(b"0\r\n\r\n") == (b"", {})


@pytest.mark.parametrize("body", [b"", b"zz\r\nhello", b"5\r\nhel", b"5\r\nhello"])
def test_a_body_that_is_cut_off_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedChunkError):
        unchunk(body)


def test_headers_announce_the_form() -> None:
    assert is_chunked({"content-encoding": "aws-chunked"})
    assert is_chunked({"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"})
    assert not is_chunked({"content-encoding": "gzip"})
