"""Where requests lie, as a person names it: a path, or an s3:// URI with the access that reaches it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from obstore.store import S3Store

from include.ledger.store import StoreAccess
from include.replay.reading import Objects, Place
from include.rollout.errors import ReplayError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Config, S3Credential


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
    return Objects(store=_bucket(bucket, access), prefix=key, name=f"s3://{bucket}")


def _bucket(bucket: str, access: StoreAccess) -> S3Store:
    config: S3Config = {}
    options: ClientConfig = {"timeout": timedelta(seconds=60), "connect_timeout": timedelta(seconds=5)}
    if access.region is not None:
        config["region"] = access.region
    if access.endpoint_url is not None:
        config["endpoint"] = access.endpoint_url.rstrip("/")
        config["virtual_hosted_style_request"] = False
        options["allow_http"] = access.endpoint_url.startswith("http://")
    credentials = access.credentials
    if credentials is None:
        return S3Store(bucket, config=config, client_options=options)

    def provide() -> S3Credential:
        now = credentials()
        return {
            "access_key_id": now.access_key,
            "secret_access_key": now.secret_key,
            "token": now.token,
            "expires_at": now.expiry,
        }

    return S3Store(bucket, config=config, client_options=options, credential_provider=provide)
