import json

import boto3
import pytest
from moto import mock_aws

from quickstart.record import Record

LEDGER = "s3://bucket/prefix"


@pytest.fixture
def bucket(monkeypatch):
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        s3 = boto3.client(
            "s3", region_name="us-east-1", aws_access_key_id="local", aws_secret_access_key="local"
        )
        s3.create_bucket(Bucket="bucket")
        yield s3


def write(s3, key, second=0, rollout="abc", **document):
    document = {"schema": 1, "written_at": f"2026-03-01T10:00:{second:02d}Z", **document}
    s3.put_object(Bucket="bucket", Key=f"prefix/rollouts/{rollout}/{key}", Body=json.dumps(document))


def test_new_objects_are_returned_once_in_the_order_of_writing(bucket):
    record = Record(bucket, LEDGER, "abc")
    write(bucket, "spec", 2)
    write(bucket, "open", 1)
    write(bucket, "open", 1, rollout="another")
    assert record.refresh() == ["open", "spec"]
    write(bucket, "tick/2026-03-01T10:00:20Z", 3, line="a look")
    assert record.refresh() == ["tick/2026-03-01T10:00:20Z"]
    assert record.refresh() == []
    assert record.last("tick/")["line"] == "a look"
    assert record.get("verdict") is None


def test_an_extension_moves_the_end_of_the_window(bucket):
    record = Record(bucket, LEDGER, "abc")
    assert record.window is None
    write(bucket, "window", begin="2026-03-01T10:01:00Z", end="2026-03-01T10:02:20Z")
    record.refresh()
    begin, end = record.window
    assert (end - begin).total_seconds() == 80
    write(bucket, "extension", seconds=30)
    record.refresh()
    assert (record.window[1] - begin).total_seconds() == 110


def test_phases_are_the_times_between_what_was_written_and_stop_where_the_rollout_has_come_to(bucket):
    record = Record(bucket, LEDGER, "abc")
    write(bucket, "open", 0)
    write(bucket, "baseline", 3)
    write(bucket, "deployment/shadow", 13)
    write(bucket, "window", 14, begin="2026-03-01T10:00:20Z", end="2026-03-01T10:00:40Z")
    write(bucket, "verdict", 45)
    record.refresh()
    assert record.phases == [
        ("plan and take the lease", 3),
        ("register and deploy the shadow", 10),
        ("wait for traffic, warm up", 7),
        ("window", 25),
    ]
    write(bucket, "restore", 50)
    write(bucket, "report.json", 52)
    record.refresh()
    assert record.phases[-2:] == [("promote or roll back", 5), ("settle and report", 2)]


def test_pages_are_not_read_as_documents(bucket):
    bucket.put_object(Bucket="bucket", Key="prefix/rollouts/abc/report.html", Body=b"<html>")
    assert Record(bucket, LEDGER, "abc").refresh() == []
