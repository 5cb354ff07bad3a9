"""The If- headers of reads, row by row."""

import pytest

from include.localcloud.s3.condition import WriteCondition, copy_source_refused, read_status

EARLY, SAME, LATE = (
    "Tue, 14 Nov 2023 22:13:19 GMT",
    "Tue, 14 Nov 2023 22:13:20 GMT",
    "Tue, 14 Nov 2023 22:13:21 GMT",
)
MODIFIED = 1_700_000_000.5


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"if-match": '"e"'}, 200),
        ({"if-match": '"x", "e"'}, 200),
        ({"if-match": "*"}, 200),
        ({"if-match": '"x"'}, 412),
        ({"if-none-match": '"e"'}, 304),
        ({"if-none-match": '"x"'}, 200),
        ({"if-modified-since": EARLY}, 200),
        ({"if-modified-since": SAME}, 304),
        ({"if-modified-since": LATE}, 304),
        ({"if-unmodified-since": EARLY}, 412),
        ({"if-unmodified-since": SAME}, 200),
        ({"if-match": '"e"', "if-unmodified-since": EARLY}, 200),
        ({"if-none-match": '"x"', "if-modified-since": LATE}, 200),
        ({"if-modified-since": "yesterday"}, 200),
    ],
)
def test_a_read_is_judged_as_the_rfc_says(headers: dict[str, str], status: int) -> None:
    assert read_status(headers, "e", MODIFIED) == status


def test_a_copy_is_refused_by_any_condition_of_its_source() -> None:
    assert copy_source_refused({"x-amz-copy-source-if-match": '"x"'}, "e", MODIFIED)
    assert copy_source_refused({"x-amz-copy-source-if-none-match": '"e"'}, "e", MODIFIED)
    assert not copy_source_refused({"if-match": '"x"'}, "e", MODIFIED)


@pytest.mark.parametrize(
    ("condition", "etag", "refusal"),
    [
        (WriteCondition(), None, None),
        (WriteCondition(if_none_match="*"), None, None),
        (WriteCondition(if_none_match="*"), "e", "PreconditionFailed"),
        (WriteCondition(if_match='"e"'), "e", None),
        (WriteCondition(if_match='"x"'), "e", "PreconditionFailed"),
        (WriteCondition(if_match='"e"'), None, "NoSuchKey"),
        (WriteCondition(if_none_match='"e"'), "e", "NotImplemented"),
    ],
)
def test_a_write_is_judged_by_what_is_there(
    condition: WriteCondition, etag: str | None, refusal: str | None
) -> None:
    assert condition.refusal(etag) == refusal
