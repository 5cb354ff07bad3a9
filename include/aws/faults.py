"""AWS's errors, in one sentence that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    ReadTimeoutError,
)

from include.rollout.errors import CloudError

_ADVICE = {
    "AccessDenied": "allow the connection's role this action",
    "AccessDeniedException": "allow the connection's role this action",
    "ExpiredToken": "renew the credentials of the Airflow connection",
    "ExpiredTokenException": "renew the credentials of the Airflow connection",
    "UnrecognizedClientException": "check the access key of the Airflow connection",
    "InvalidClientTokenId": "check the access key of the Airflow connection",
    "ResourceLimitExceeded": "raise the account's quota or ask for fewer instances",
    "ThrottlingException": "wait a little and start again",
    "NoSuchBucket": "create the bucket or correct its name",
    "NoSuchKey": "check the S3 key",
    "404": "check the bucket and the key",
    "KMSAccessDeniedException": "allow the role to use the KMS key",
}


def code_of(error: ClientError) -> str:
    """Return AWS's error code."""
    return str(error.response.get("Error", {}).get("Code", ""))


def message_of(error: ClientError) -> str:
    """Return AWS's error message."""
    return str(error.response.get("Error", {}).get("Message", ""))


def is_missing(error: ClientError) -> bool:
    """Say whether the error means that the resource does not exist.

    SageMaker answers a missing endpoint, config or model with ValidationException "Could not find ...";
    registry and experiments use ResourceNotFound.
    """
    code, message = code_of(error), message_of(error)
    return code in {"ResourceNotFound", "ResourceNotFoundException", "NoSuchKey", "NoSuchBucket", "404"} or (
        code == "ValidationException"
        and ("could not find" in message.lower() or "does not exist" in message.lower())
    )


def already_exists(error: ClientError) -> bool:
    """Say whether the error means that a resource of that name exists."""
    return code_of(error) in {"ValidationException", "ResourceInUse", "ConflictException"} and (
        "already exist" in message_of(error).lower()
    )


def is_transient(error: ClientError) -> bool:
    """Say whether the same call may succeed a little later: throttling, and what AWS itself got wrong."""
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return (
        status >= 500
        or "throttl" in code_of(error).lower()
        or code_of(error) in {"RequestLimitExceeded", "SlowDown"}
    )


@contextmanager
def calling(what: str) -> Iterator[None]:
    """Turn botocore's errors into CloudError: what was being done, what AWS said, what to do."""
    try:
        yield
    except ClientError as error:
        code = code_of(error)
        advice = _ADVICE.get(code)
        raise CloudError(
            f"{what} failed: {code}: {message_of(error).rstrip('.')}" + (f"; {advice}." if advice else "."),
            code,
            transient=is_transient(error),
        ) from error
    except EndpointConnectionError as error:
        raise CloudError(
            f"{what} failed: {error}; check the endpoint_url of the connection and that it is up.",
            "Unreachable",
            transient=True,
        ) from error
    except NoCredentialsError as error:
        raise CloudError(
            f"{what} failed: no credentials; give the Airflow connection a key or a role.", "NoCredentials"
        ) from error
    except NoRegionError as error:
        raise CloudError(
            f"{what} failed: no region; name one in the Airflow connection (region_name in its extra), or in AWS_REGION.",
            "NoRegion",
        ) from error
    except ReadTimeoutError as error:
        raise CloudError(
            f"{what} got no answer in time; its effect is unknown and will be read back.",
            "Timeout",
            transient=True,
        ) from error
    except BotoCoreError as error:
        raise CloudError(
            f"{what} failed: {str(error).rstrip('.')}.",
            type(error).__name__,
            transient=isinstance(error, ConnectionError | HTTPClientError),
        ) from error
