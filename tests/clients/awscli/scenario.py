"""The AWS command line: a shadow test by hand, from bucket to clean-up."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROLE = "arn:aws:iam::123456789012:role/serving"


def aws(*arguments: str) -> dict:
    """Return what the command answered; end with its message when it failed."""
    done = subprocess.run(
        ["aws", "--output", "json", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"aws {' '.join(arguments)}: {done.stderr}")
    return json.loads(done.stdout) if done.stdout.strip() else {}


def refused(*arguments: str) -> str:
    """Return the message of a command that must fail."""
    done = subprocess.run(["aws", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode != 0, arguments
    return done.stderr


def variant(name: str, model: str) -> str:
    return f"VariantName={name},ModelName={model},InstanceType=ml.m5.large,InitialInstanceCount=1,InitialVariantWeight=1"


Path("note.txt").write_text("kept")
subprocess.run(["aws", "s3", "mb", "s3://a-bucket"], check=True, capture_output=True)
subprocess.run(["aws", "s3", "cp", "note.txt", "s3://a-bucket/n/note.txt"], check=True, capture_output=True)
subprocess.run(["aws", "s3", "cp", "s3://a-bucket/n/note.txt", "back.txt"], check=True, capture_output=True)
assert Path("back.txt").read_text() == "kept"
assert aws("sts", "get-caller-identity")["Account"] == "123456789012"

for model, answer in (("old", "0.25"), ("new", "0.75")):
    aws(
        *("sagemaker", "create-model", "--model-name", model, "--execution-role-arn", ROLE),
        *("--primary-container", f"Image=penumbra/light:1,Environment={{LOCAL_ANSWER={answer}}}"),
    )
aws(
    *("sagemaker", "create-endpoint-config", "--endpoint-config-name", "shadowed"),
    *("--production-variants", variant("production", "old")),
    *("--shadow-production-variants", variant("shadow", "new")),
)
aws("sagemaker", "create-endpoint", "--endpoint-name", "churn", "--endpoint-config-name", "shadowed")
aws("sagemaker", "wait", "endpoint-in-service", "--endpoint-name", "churn")
described = aws("sagemaker", "describe-endpoint", "--endpoint-name", "churn")
assert [each["VariantName"] for each in described["ShadowProductionVariants"]] == ["shadow"]

answered = aws(
    *("sagemaker-runtime", "invoke-endpoint", "--endpoint-name", "churn", "--content-type", "text/csv"),
    *("--body", "1,2", "answer.txt"),
)
assert Path("answer.txt").read_text() == "0.25"
assert answered["InvokedProductionVariant"] == "production"
assert "not found" in refused(
    "sagemaker-runtime", "invoke-endpoint", "--endpoint-name", "none", "--body", "1", "x"
)
assert "Could not find endpoint" in refused("sagemaker", "describe-endpoint", "--endpoint-name", "none")

data = [{"MetricName": "seen", "Value": value} for value in (1, 2, 3, 10)]
aws("cloudwatch", "put-metric-data", "--namespace", "Own", "--metric-data", json.dumps(data))
now = datetime.now(UTC)
times = (
    "--start-time",
    (now - timedelta(minutes=5)).isoformat(),
    "--end-time",
    (now + timedelta(minutes=5)).isoformat(),
)
metric = {"Metric": {"Namespace": "Own", "MetricName": "seen"}, "Period": 60}
queries = [
    {"Id": "total", "MetricStat": metric | {"Stat": "Sum"}},
    {"Id": "half", "Expression": "total / 2"},
]
found = aws("cloudwatch", "get-metric-data", "--metric-data-queries", json.dumps(queries), *times)
sums = {each["Id"]: sum(each["Values"]) for each in found["MetricDataResults"]}
assert sums == {"total": 16.0, "half": 8.0}, sums
statistics = aws(
    *(
        "cloudwatch",
        "get-metric-statistics",
        "--namespace",
        "Own",
        "--metric-name",
        "seen",
        "--period",
        "600",
    ),
    *("--extended-statistics", "p50", *times),
)
assert statistics["Datapoints"], statistics

aws("sagemaker", "delete-endpoint", "--endpoint-name", "churn")
aws("sagemaker", "wait", "endpoint-deleted", "--endpoint-name", "churn")
aws("sagemaker", "delete-endpoint-config", "--endpoint-config-name", "shadowed")
for model in ("old", "new"):
    aws("sagemaker", "delete-model", "--model-name", model)
assert aws("sagemaker", "list-models")["Models"] == []
print("the AWS command line did all of it")
