"""The churn endpoint as its owners would have set it up: bucket, artefacts, package group, model, endpoint."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from quickstart.cloud import LocalCloud
from quickstart.samples import Samples

BUCKET = "penumbra-local"
ENDPOINT = "churn"
VARIANT = "production"
PACKAGE_GROUP = "churn"
ROLE = "arn:aws:iam::000000000000:role/penumbra-local"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.0-5"
INSTANCE_TYPE = "ml.m5.xlarge"
PERIOD = 10  # seconds between metric points: enhanced metrics, as the demonstration's short windows need

BASELINE_KEY = "churn/models/baseline.tar.gz"
NEWER_KEY = "churn/models/newer.tar.gz"
DIFFERENT_KEY = "churn/models/different.tar.gz"
REPLAY_KEY = "churn/replay.csv"

# The local cloud's sample containers declare a service time and wait it, instead of burning it: on a
# small machine two real 1 ms models would differ by a fifth for being answered second.
SERVICE_TIME = {
    "LOCAL_SERVICE_TIME_MEDIAN_MS": "12",
    "LOCAL_SERVICE_TIME_REQUEST_SD": "0.20",
    "LOCAL_SERVICE_TIME_OWN_SD": "0.10",
}


class SeedError(Exception):
    """The endpoint could not be brought InService; the message says why."""


def seed(cloud: LocalCloud, samples: Samples, *, instances: int = 1, timeout: float = 120.0) -> None:
    """Bring the churn endpoint InService with the baseline model; what is there already stays as it is.

    Names derive from the artefacts' content, so that seeding again after a restart finds its own work.
    Raises SeedError with SageMaker's failure reason.
    """
    upload(cloud, samples)
    sagemaker = cloud.client("sagemaker")
    model = f"churn-baseline-{_digest(samples.baseline)}"
    config = f"{model}-x{instances}"
    _ensure(
        lambda: sagemaker.create_model_package_group(
            ModelPackageGroupName=PACKAGE_GROUP, ModelPackageGroupDescription="Models of the churn endpoint"
        )
    )
    _ensure(
        lambda: sagemaker.create_model(
            ModelName=model,
            ExecutionRoleArn=ROLE,
            PrimaryContainer={
                "Image": IMAGE,
                "ModelDataUrl": f"s3://{BUCKET}/{BASELINE_KEY}",
                "Environment": SERVICE_TIME,
            },
        )
    )
    _ensure(
        lambda: sagemaker.create_endpoint_config(
            EndpointConfigName=config,
            ProductionVariants=[
                {
                    "VariantName": VARIANT,
                    "ModelName": model,
                    "InstanceType": INSTANCE_TYPE,
                    "InitialInstanceCount": instances,
                    "InitialVariantWeight": 1.0,
                }
            ],
            MetricsConfig={"EnableEnhancedMetrics": True, "MetricPublishFrequencyInSeconds": PERIOD},
        )
    )
    _ensure(lambda: sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName=config))
    wait_in_service(sagemaker, timeout)


def upload(cloud: LocalCloud, samples: Samples) -> None:
    """Put the artefacts and the requests to replay where the specs look for them."""
    s3 = cloud.client("s3")
    _ensure(lambda: s3.create_bucket(Bucket=BUCKET))
    for key, file in (
        (BASELINE_KEY, samples.baseline),
        (DIFFERENT_KEY, samples.different),
        (NEWER_KEY, samples.newer),  # the last model, so that a refresh tries it first
        (REPLAY_KEY, samples.replay),
    ):
        s3.put_object(Bucket=BUCKET, Key=key, Body=file.read_bytes())


def _ensure(create: Callable[[], Any]) -> None:
    try:
        create()
    except ClientError as error:
        message = str(error).lower()
        if not any(words in message for words in ("already exist", "already own", "cannot create already")):
            raise


def wait_in_service(sagemaker: Any, timeout: float) -> None:
    """Return once the churn endpoint is InService; SeedError with SageMaker's reason when it failed or takes longer."""
    deadline = time.monotonic() + timeout
    while True:
        endpoint = sagemaker.describe_endpoint(EndpointName=ENDPOINT)
        status = endpoint["EndpointStatus"]
        if status == "InService":
            return
        if status == "Failed":
            raise SeedError(f"Endpoint {ENDPOINT} failed: {endpoint.get('FailureReason', 'no reason given')}")
        if time.monotonic() > deadline:
            raise SeedError(f"Endpoint {ENDPOINT} is still {status} after {timeout:.0f} s.")
        time.sleep(0.3)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:8]
