"""Requests that lie in S3, read from a real S3: the local SageMaker's."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from include.ledger.store import Credentials, StoreAccess
from include.replay import schedule
from include.replay.location import located
from include.rollout.errors import ReplayError
from include.rollout.replay import ReplaySection
from tests.integration.replay.test_shards import capture

ROOT = Path(__file__).parents[3]
KEYS = Credentials(access_key="A", secret_key="b")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    state = tmp_path_factory.mktemp("cloud")
    command = [sys.executable, "-m", "include.localcloud", "--port", "0", "--state", str(state)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as process:
        assert process.stdout is not None
        try:
            found = next((line.split()[1] for line in process.stdout if line.startswith("ready ")), None)
            assert found, f"the local cloud ended with {process.wait()} before it was ready"
            threading.Thread(target=process.stdout.read, daemon=True).start()
            yield found
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def s3(url: str) -> Any:
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="A",
        aws_secret_access_key="b",
        config=Config(s3={"addressing_style": "path"}),
    )
    client.create_bucket(Bucket="recorded")
    return client


def bodies(url: str, **given: Any) -> list[bytes]:
    section = ReplaySection.model_validate({"rate": 1, "passes": 1, **given})
    access = StoreAccess(region="us-east-1", endpoint_url=url, credentials=lambda: KEYS)
    place = located(section.source, access)
    schedule.locate(section, place)
    return [request.body for request in schedule.requests(section, schedule.source(section, place), 0)]


def test_one_object_and_all_below_a_prefix_are_rows(url: str, s3: Any) -> None:
    s3.put_object(Bucket="recorded", Key="rows/a.csv", Body=b"1,2\n3,4\n")
    s3.put_object(Bucket="recorded", Key="rows/b.csv.gz", Body=gzip.compress(b"5,6\n"))
    s3.put_object(Bucket="recorded", Key="rows-of-others/c.csv", Body=b"7,8\n")
    assert bodies(url, source="s3://recorded/rows/a.csv") == [b"1,2", b"3,4"]
    assert bodies(url, source="s3://recorded/rows") == [b"1,2", b"3,4", b"5,6"]


def test_a_tree_of_captures_is_read_for_its_hours(url: str, s3: Any) -> None:
    for hour, line in (("11", "not even looked at"), ("12", capture("1,2", 5)), ("15", "nor this")):
        key = f"captures/churn/AllTraffic/2026/03/01/{hour}/x.jsonl"
        s3.put_object(Bucket="recorded", Key=key, Body=line.encode())
    tree = {"source": "s3://recorded/captures/churn/AllTraffic", "kind": "captures"}
    wanted = {"since": "2026-03-01T13:00:00Z", "until": "2026-03-01T13:30:00Z"}
    with pytest.raises(ReplayError, match="no record that can be sent"):
        bodies(url, **tree, **wanted, malformed=1)
    wanted = {"since": "2026-03-01T12:00:04Z", "until": "2026-03-01T12:00:06Z"}
    assert bodies(url, **tree, **wanted, malformed=0.9) == [b"1,2"]
    with pytest.raises(ReplayError, match="holds nothing of the time"):
        bodies(url, **tree, since="2026-03-02T12:00:00Z")


def test_two_variants_at_once_are_refused(url: str, s3: Any) -> None:
    for variant in ("A", "B"):
        key = f"both/churn/{variant}/2026/03/01/12/x.jsonl"
        s3.put_object(Bucket="recorded", Key=key, Body=capture("1,2", 5).encode())
    with pytest.raises(ReplayError, match="one variant"):
        bodies(url, source="s3://recorded/both/churn", kind="captures")


@pytest.mark.parametrize("source", ["s3://recorded/nothing/here", "s3://no-such-bucket/rows.csv"])
def test_what_is_not_there_is_said_in_a_sentence(url: str, s3: Any, source: str) -> None:
    with pytest.raises(ReplayError, match=r"holds nothing|cannot be listed"):
        bodies(url, source=source)
