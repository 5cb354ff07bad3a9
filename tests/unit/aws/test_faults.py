"""What AWS's errors become: a sentence, and whether the same call may succeed a little later."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
    ReadTimeoutError,
)

from include.aws.faults import calling
from include.rollout.errors import CloudError


def answer(code: str, status: int) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": "No."},
            "ResponseMetadata": {
                "HTTPStatusCode": status,
                "RequestId": "",
                "HostId": "",
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        },
        "DescribeEndpoint",
    )


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (answer("ThrottlingException", 400), True),
        (answer("RequestLimitExceeded", 400), True),
        (answer("SlowDown", 503), True),
        (answer("InternalFailure", 500), True),
        (answer("AccessDeniedException", 400), False),
        (answer("ResourceLimitExceeded", 400), False),
        (answer("ValidationException", 400), False),
        (ReadTimeoutError(endpoint_url="http://aws"), True),
        (ConnectTimeoutError(endpoint_url="http://aws"), True),
        (NoCredentialsError(), False),
        (NoRegionError(), False),
    ],
    ids=lambda value: str(value).replace(" ", "-"),
)
def test_only_what_may_go_away_by_itself_is_transient(error: Exception, transient: bool) -> None:
    with (
        pytest.raises(CloudError, match=r"^Looking ") as raised,
        calling("Looking"),
    ):
        raise error
    assert raised.value.transient is transient


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NoRegionError(), "Looking failed: no region; name one in the Airflow connection"),
        (
            ProfileNotFound(profile="nobody"),
            "Looking failed: The config profile (nobody) could not be found.",
        ),
    ],
    ids=["no region", "no profile"],
)
def test_what_botocore_says_becomes_one_sentence(error: Exception, said: str) -> None:
    with pytest.raises(CloudError) as raised, calling("Looking"):
        raise error
    assert str(raised.value).startswith(said)
    assert not str(raised.value).endswith("..")
