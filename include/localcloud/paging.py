"""Pages by position: a token says how many records the earlier pages had. It is opaque to clients."""

import base64
from collections.abc import Sequence
from typing import Any


def token(position: int) -> str:
    """Return the token of the page that begins after so many records."""
    return base64.b64encode(str(position).encode()).decode()


def position(token: str | None) -> int:
    """Return how many records came before; 0 without a token. Raises ValueError for one that is none of ours."""
    if not token:
        return 0
    digits = base64.b64decode(token, validate=True)
    if not digits.isdigit():
        raise ValueError(f"the token {token!r} holds no position")
    return int(digits)


def page(records: Sequence[Any], first: int, size: int) -> tuple[Sequence[Any], dict[str, str]]:
    """Return the page's records, and a NextToken if there are more."""
    last = first + size
    return records[first:last], {"NextToken": token(last)} if last < len(records) else {}
