"""Clients of one AWS account and region, and the service's own clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config

from include.aws.faults import calling
from include.ledger.store import Credentials, StoreAccess

SERVICES = ("sagemaker", "sagemaker-runtime", "cloudwatch", "s3", "sts", "application-autoscaling", "sns")
"""Every service that is asked; a connection may name an endpoint_url for each."""

_READING = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=5, read_timeout=30)
_ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=2, read_timeout=15)


@dataclass(frozen=True, kw_only=True)
class Clients:
    """Every client that a rollout needs, made when first used.

    `session` is a boto3 Session; `endpoint_urls` maps a service name to its URL, with "" as the default for all.
    """

    session: boto3.Session
    endpoint_urls: Mapping[str, str]

    def _client(self, service: str, config: Config, region: str | None = None) -> Any:
        assert service in SERVICES, f"{service} is asked and not named in SERVICES"
        url = self.endpoint_urls.get(service) or self.endpoint_urls.get("") or None
        with calling(f"Making a client of {service}"):
            return self.session.client(service, region_name=region, endpoint_url=url, config=config)

    @cached_property
    def sagemaker(self) -> Any:
        """Return the SageMaker client for calls that may be retried."""
        return self._client("sagemaker", _READING)

    @cached_property
    def sagemaker_once(self) -> Any:
        """Return the SageMaker client without retries, for calls that must not happen twice."""
        return self._client("sagemaker", _ONCE)

    @cached_property
    def cloudwatch(self) -> Any:
        """Return the CloudWatch client."""
        return self._client("cloudwatch", _READING)

    @cached_property
    def scaling(self) -> Any:
        """Return the Application Auto Scaling client."""
        return self._client("application-autoscaling", _READING)

    @cached_property
    def s3(self) -> Any:
        """Return the S3 client."""
        return self._client("s3", _READING.merge(Config(s3={"addressing_style": "path"})))

    def sns(self, region: str) -> Any:
        """Return an SNS client: a topic answers in its own region only."""
        return self._client("sns", _READING, region)

    @cached_property
    def account(self) -> str:
        """Return the account id that the credentials belong to."""
        with calling("Asking STS which account this is"):
            return str(self._client("sts", _READING).get_caller_identity()["Account"])

    @property
    def region(self) -> str:
        """Return the region of the connection."""
        return str(self.sagemaker.meta.region_name)

    @property
    def runtime_url(self) -> str:
        """Return the base URL of the SageMaker runtime."""
        return str(self._client("sagemaker-runtime", _ONCE).meta.endpoint_url)

    def credentials(self) -> Credentials:
        """Return the current credentials, refreshed where they expire."""
        found = self.session.get_credentials()
        if found is None:
            with calling("Looking for credentials"):
                self.sagemaker.list_endpoints(MaxResults=1)  # raises botocore's own sentence
            raise AssertionError("a client without credentials cannot have answered")
        frozen = found.get_frozen_credentials()
        expiry = getattr(found, "_expiry_time", None)  # botocore keeps it there and has no public name for it
        return Credentials(
            access_key=frozen.access_key, secret_key=frozen.secret_key, token=frozen.token, expiry=expiry
        )

    def store_access(self) -> StoreAccess:
        """Return how the ledger reaches S3 with this connection."""
        url = self.endpoint_urls.get("s3") or self.endpoint_urls.get("") or None
        return StoreAccess(region=self.region, endpoint_url=url, credentials=self.credentials)

    def now(self) -> datetime:
        """Return the service's own time, from the Date header of a cheap answer; a worker's clock may be wrong."""
        with calling("Asking SageMaker for the time"):
            answer = self.sagemaker.list_endpoints(MaxResults=1)
        return service_time(answer)


def service_time(answer: Mapping[str, Any]) -> datetime:
    """Return the Date header of a boto3 answer, in UTC."""
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    return parsedate_to_datetime(headers["date"]).astimezone(UTC)


def connect(session: boto3.Session, endpoint_urls: Mapping[str, str] | None = None) -> Clients:
    """Return clients of a boto3 session; `endpoint_urls` as in `Clients`."""
    return Clients(session=session, endpoint_urls=endpoint_urls or {})


def connect_as(*, profile: str | None, region: str | None, endpoint_url: str | None) -> Clients:
    """Return clients as the command line means them: a profile of ~/.aws or the environment's credentials."""
    with calling("Opening an AWS session"):
        session = boto3.Session(profile_name=profile, region_name=region)
    return connect(session, {"": endpoint_url} if endpoint_url else {})
