"""The time is the service's own."""

from __future__ import annotations

from datetime import UTC, datetime

import boto3
from botocore.stub import Stubber

from include.aws.clients import connect


def test_now_is_when_the_service_answered_whatever_this_machines_clock_says() -> None:
    session = boto3.Session(aws_access_key_id="k", aws_secret_access_key="s", region_name="us-east-1")
    clients = connect(session)
    with Stubber(clients.sagemaker) as stubber:
        answered = {"HTTPHeaders": {"date": "Sun, 01 Mar 2026 12:00:00 GMT"}}
        stubber.add_response("list_endpoints", {"Endpoints": [], "ResponseMetadata": answered})
        assert clients.now() == datetime(2026, 3, 1, 12, tzinfo=UTC)
