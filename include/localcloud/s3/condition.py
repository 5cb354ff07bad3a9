"""The `If-…` headers of reads and writes, judged as S3 judges them."""

import email.utils
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WriteCondition:
    """What must hold for a write to happen; without either field it always does."""

    if_none_match: str | None = None  # only "*" has a meaning: the key must not exist
    if_match: str | None = None  # the entity tag that the key must have now

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "WriteCondition":
        """Read the condition from a request's headers (names lower-cased)."""
        return cls(headers.get("if-none-match"), headers.get("if-match"))

    def refusal(self, current_etag: str | None) -> str | None:
        """Return the S3 error code with which the write is refused, or None when it may happen.

        An `If-Match` on a key that does not exist is NoSuchKey, every other mismatch PreconditionFailed
        (Amazon S3 user guide, "conditional writes").
        """
        if self.if_none_match is not None:
            if self.if_none_match.strip() != "*":
                return "NotImplemented"
            if current_etag is not None:
                return "PreconditionFailed"
        if self.if_match is not None:
            if current_etag is None:
                return "NoSuchKey"
            if not _matches(self.if_match, current_etag):
                return "PreconditionFailed"
        return None


def read_status(headers: Mapping[str, str], etag: str, modified: float) -> int:
    """Return 200, 304 or 412 for a read of an object, following RFC 9110 §13.2.2.

    A true If-Match makes a false If-Unmodified-Since irrelevant, and a false If-None-Match is 304.
    """
    if_match = headers.get("if-match")
    if if_match is not None:
        if not _matches(if_match, etag):
            return 412
    else:
        since = _epoch(headers.get("if-unmodified-since"))
        if since is not None and int(modified) > since:
            return 412
    if_none_match = headers.get("if-none-match")
    if if_none_match is not None:
        return 304 if _matches(if_none_match, etag) else 200
    since = _epoch(headers.get("if-modified-since"))
    return 304 if since is not None and int(modified) <= since else 200


def copy_source_refused(headers: Mapping[str, str], etag: str, modified: float) -> bool:
    """Tell whether the `x-amz-copy-source-if-…` headers forbid the copy; S3 answers 412 to all of them."""
    prefix = "x-amz-copy-source-"
    conditions = {
        name.removeprefix(prefix): value for name, value in headers.items() if name.startswith(prefix)
    }
    return read_status(conditions, etag, modified) != 200


def _matches(condition: str, etag: str) -> bool:
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in condition.split(",")}
    return "*" in tags or etag in tags


def _epoch(value: str | None) -> float | None:
    if value is None:
        return None
    try:
        return email.utils.parsedate_to_datetime(value).timestamp()
    except ValueError:
        return None  # S3 ignores a date that it cannot read
