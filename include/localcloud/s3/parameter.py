"""What S3's requests say in their queries and documents: numbers, continuation tokens, versions."""

import base64
from collections.abc import Mapping

from include.localcloud.s3.error import S3Error

_MOST_LISTED = 1000  # objects, parts or uploads in one answer


def limited(query: Mapping[str, str], name: str) -> int:
    """Return how many entries an answer may have; raise InvalidArgument for what is no number."""
    return min(_MOST_LISTED, integer(query, name, _MOST_LISTED))


def integer(query: Mapping[str, str], name: str, default: int) -> int:
    """Return a parameter that is a whole number of 0 or more; raise InvalidArgument for any other."""
    return whole(name, query[name]) if name in query else default


def whole(name: str, value: str | None) -> int:
    """Return the value as a whole number of 0 or more; raise InvalidArgument, naming it, for any other."""
    if value is None or not value.isdecimal():
        raise S3Error("InvalidArgument", f"Provided {name} not an integer or within integer range", 400)
    return int(value)


def check_version(version: str | None) -> None:
    """Raise InvalidArgument for any version but the one that objects of a bucket without versions have."""
    if version not in {None, "null"}:
        raise S3Error("InvalidArgument", "Invalid version id specified", 400)


def token_of(start: str) -> str:
    """Return the token of a page that begins there."""
    return base64.urlsafe_b64encode(start.encode()).decode()


def start_of(token: str) -> str:
    """Return where the token's page begins; raise InvalidArgument for a token that no page gave."""
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise S3Error("InvalidArgument", "The continuation token provided is incorrect", 400) from error
