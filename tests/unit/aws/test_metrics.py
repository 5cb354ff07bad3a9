"""What CloudWatch could not read is never taken for nothing that happened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from include.aws.clients import Clients, connect
from include.aws.metrics import ERRORS, Variants, read_evidence
from include.rollout.errors import CloudError

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
VARIANTS = Variants(endpoint="churn", production="production", shadow="shadow")
METRICS = ("Invocations", *ERRORS, "ModelLatency", "OverheadLatency")


@contextmanager
def answering(*pages: dict[str, Any]) -> Iterator[Clients]:
    session = boto3.Session(aws_access_key_id="k", aws_secret_access_key="s", region_name="us-east-1")
    clients = connect(session)
    with Stubber(clients.cloudwatch) as stubber:
        for page in pages:
            stubber.add_response("get_metric_data", page)
        yield clients
        stubber.assert_no_pending_responses()


def page(statuses: dict[str, str], **more: Any) -> dict[str, Any]:
    """Answer 100 requests and nothing else of both variants; `statuses` says which metrics could not be read."""
    results = []
    for role in range(2):
        for number, metric in enumerate(METRICS):
            known = metric == "Invocations"
            results.append(
                {
                    "Id": f"q{role * len(METRICS) + number}",
                    "Timestamps": [BEGIN] if known else [],
                    "Values": [100.0] if known else [],
                    "StatusCode": statuses.get(metric, "Complete"),
                }
            )
    return {"MetricDataResults": results, **more}


def read(clients: Clients) -> Any:
    return read_evidence(
        clients,
        VARIANTS,
        begin=BEGIN,
        end=BEGIN + timedelta(seconds=60),
        period=60,
        sampling=1.0,
        quantiles=("p90",),
    )


@pytest.mark.parametrize(
    ("status", "transient", "advice"),
    [("InternalError", True, "asked again"), ("Forbidden", False, "allow the connection's role")],
)
@pytest.mark.parametrize("metric", ["InvocationModelErrors", "Invocations", "ModelLatency"])
def test_a_metric_that_could_not_be_read_is_an_error_and_not_a_zero(
    metric: str, status: str, transient: bool, advice: str
) -> None:
    with answering(page({metric: status})) as clients, pytest.raises(CloudError, match=advice) as raised:
        read(clients)
    assert metric in str(raised.value)
    assert raised.value.transient is transient


def test_a_metric_that_the_answer_leaves_out_is_an_error() -> None:
    whole = page({})
    short = {"MetricDataResults": whole["MetricDataResults"][:-1]}
    with answering(short) as clients, pytest.raises(CloudError, match=METRICS[-1]):
        read(clients)


def test_an_answer_in_pages_is_whole_when_its_last_page_is() -> None:
    pages = (page({"Invocations": "PartialData"}, NextToken="more"), page({}))
    with answering(*pages) as clients:
        evidence = read(clients)
    assert evidence.shadow[0].invocations == 100


def test_an_answer_whose_last_page_is_partial_is_an_error() -> None:
    with answering(page({"ModelLatency": "PartialData"})) as clients, pytest.raises(CloudError):
        read(clients)
