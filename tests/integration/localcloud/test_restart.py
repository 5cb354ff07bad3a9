"""A restart, gentle or not, brings back what was there, and no instance outlives the program."""

import datetime
import signal
import subprocess
import sys
from typing import Any

import boto3
import pytest


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_everything_is_back_after_the_program_ends(
    own_program: Any, hosting: Any, is_alive: Any, wait_until: Any, number: int
) -> None:
    hosted = hosting(own_program)
    s3 = own_program.client("s3")
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="k", Body=b"still here")
    hosted.model("m", LOCAL_ANSWER="42")
    hosted.config("c", "m", "m")
    before = hosted.create("e", "c")
    instances = [pid for pids in own_program.instances("e").values() for pid in pids]
    assert len(instances) == 2
    own_program.stop(number)
    assert wait_until(lambda: not any(map(is_alive, instances)), 10)
    own_program.start()
    after = own_program.client("sagemaker").describe_endpoint(EndpointName="e")
    del before["ResponseMetadata"], after["ResponseMetadata"]
    assert after == before
    runtime = own_program.client("sagemaker-runtime")
    assert runtime.invoke_endpoint(EndpointName="e", Body=b"x")["Body"].read() == b"42"
    assert own_program.client("s3").get_object(Bucket="kept", Key="k")["Body"].read() == b"still here"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_metrics_are_back_after_the_program_ends(own_program: Any, number: int) -> None:
    now = datetime.datetime.now(datetime.UTC)
    own_program.client("cloudwatch").put_metric_data(
        Namespace="Own", MetricData=[{"MetricName": "m", "Values": [1.0, 5.0], "Counts": [3.0, 1.0]}]
    )
    own_program.stop(number)
    own_program.start()
    query = {
        "Id": "q",
        "MetricStat": {"Metric": {"Namespace": "Own", "MetricName": "m"}, "Period": 60, "Stat": "Sum"},
    }
    (result,) = own_program.client("cloudwatch").get_metric_data(
        MetricDataQueries=[query],
        StartTime=now - datetime.timedelta(minutes=5),
        EndTime=now + datetime.timedelta(minutes=5),
    )["MetricDataResults"]
    assert result["Values"] == [8.0]


def test_a_reset_forgets_everything(tmp_path: Any) -> None:
    state = tmp_path / "state"
    command = [sys.executable, "-m", "include.localcloud", "--port", "0", "--state", str(state)]
    for more in ([], ["--reset", "--coarse-metrics"]):
        with subprocess.Popen([*command, *more], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            url = process.stdout.readline().split()[1]
            s3 = boto3.client(
                "s3",
                endpoint_url=url,
                region_name="us-east-1",
                aws_access_key_id="local",
                aws_secret_access_key="local",
            )
            assert s3.list_buckets()["Buckets"] == []
            s3.create_bucket(Bucket="forgotten")
            process.send_signal(signal.SIGTERM)
            assert process.wait(40) == 0


def test_a_second_program_on_the_same_state_is_refused(own_program: Any) -> None:
    command = [sys.executable, "-m", "include.localcloud", "--port", "0", "--state", str(own_program.state)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 2
    assert f"in use by process {own_program.process.pid}" in second.stderr


def test_a_busy_port_is_said_and_not_waited_for(own_program: Any, tmp_path: Any) -> None:
    port = own_program.url.rpartition(":")[2]
    command = [sys.executable, "-m", "include.localcloud", "--port", port, "--state", str(tmp_path / "other")]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 3
    assert "choose another with --port" in second.stderr
