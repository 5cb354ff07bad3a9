"""Where requests lie, as a person names it: a path, or an s3:// URI with the access that reaches it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from include.ledger.bucket import bucket_store
from include.ledger.store import StoreAccess
from include.replay.reading import Objects, Place
from include.rollout.errors import ReplayError

_TIMEOUT = timedelta(seconds=60)  # of one request: a source's objects are large


def located(location: str, access: StoreAccess) -> Place:
    """Return the place that `location` names; nothing is read yet.

    `s3://bucket/key` is one object, or all below that prefix. Raises ReplayError for a URI that
    names no bucket or is of another kind.
    """
    if not location.startswith("s3://"):
        if "://" in location:
            msg = f"the source {location!r} is neither an s3:// URI nor a path; give one of them"
            raise ReplayError(msg)
        return Path(location)
    bucket, _, key = location.removeprefix("s3://").partition("/")
    if not bucket:
        msg = f"the source {location!r} names no bucket; write s3://bucket/key"
        raise ReplayError(msg)
    return Objects(store=bucket_store(bucket, access, timeout=_TIMEOUT), prefix=key, name=f"s3://{bucket}")
