"""A bucket as obstore reaches it, with the region, address and credentials of an AWS connection."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from obstore.store import S3Store

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config, S3Credential

    from include.ledger.store import StoreAccess

_RETRIES: RetryConfig = {
    "max_retries": 6,
    "retry_timeout": timedelta(seconds=60),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=5), "base": 2},
}


def bucket_store(
    bucket: str, access: StoreAccess, *, prefix: str = "", timeout: timedelta = timedelta(seconds=30)
) -> S3Store:
    """Return the objects of `bucket` below `prefix`; nothing is asked of S3 yet. `timeout` is that of one request."""
    config: S3Config = {"conditional_put": "etag"}
    options: ClientConfig = {"timeout": timeout, "connect_timeout": timedelta(seconds=5)}
    if access.region is not None:
        config["region"] = access.region
    if access.endpoint_url is not None:
        config["endpoint"] = access.endpoint_url.rstrip("/")
        config["virtual_hosted_style_request"] = False
        options["allow_http"] = access.endpoint_url.startswith("http://")
    credentials = access.credentials
    if credentials is None:
        return S3Store(
            bucket, prefix=prefix or None, config=config, client_options=options, retry_config=_RETRIES
        )

    def provide() -> S3Credential:
        now = credentials()
        return {
            "access_key_id": now.access_key,
            "secret_access_key": now.secret_key,
            "token": now.token,
            "expires_at": now.expiry,
        }

    return S3Store(
        bucket,
        prefix=prefix or None,
        config=config,
        client_options=options,
        retry_config=_RETRIES,
        credential_provider=provide,
    )
