"""Is this machine fit to compare two variants? Production is shadowed with itself, and the two must agree.

Two equal variants differ only by what the machine does to them. Where that is more than a few percent, no verdict
on latency reached here would mean anything.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from quickstart import seed
from quickstart.cloud import LocalCloud
from quickstart.traffic import Callers, invoker

LIMIT = 0.05  # offset between two equal variants above which nothing is compared here
RATE = 60.0  # requests per second, as in the demonstration's rollouts
MEASURED = 3  # periods, after one that warms up
CONFIG = "churn-probe"
QUANTILES = ("p50", "p90")


class UnfitError(Exception):
    """This machine cannot compare two variants now; the message carries the numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offset:
    """How much slower the second of two equal variants was: shadow / production - 1, by quantile."""

    by_quantile: dict[str, float]
    requests: int

    def refuse_above(self, limit: float) -> None:
        """Raise UnfitError, with the numbers, where any of the offsets is above `limit`, whatever its sign."""
        if self.largest > limit:
            raise UnfitError(
                f"Two equal variants differ by {self} on this machine, and at most {limit:.0%} lets latencies be compared; "
                "end what else keeps it busy and start again."
            )

    @property
    def largest(self) -> float:
        """Return the largest offset, whatever its sign."""
        return max(abs(value) for value in self.by_quantile.values())

    def __str__(self) -> str:
        """Return the offsets as percentages."""
        shown = ", ".join(f"{value:+.1%} at {quantile}" for quantile, value in self.by_quantile.items())
        return f"{shown} over {self.requests} requests"


def probe(cloud: LocalCloud, bodies: Sequence[str], *, limit: float = LIMIT) -> Offset:
    """Measure the offset between two equal variants and restore the endpoint; UnfitError where it is above `limit`."""
    sagemaker = cloud.client("sagemaker")
    original = sagemaker.describe_endpoint(EndpointName=seed.ENDPOINT)["EndpointConfigName"]
    _shadow_with_itself(sagemaker, original)
    try:
        _move(sagemaker, CONFIG)
        begin, end = _window(datetime.now(UTC))
        callers = Callers(invoker(cloud.url), bodies, rate=RATE)
        callers.run(lambda: datetime.now(UTC) >= end)
        offset = _until_published(lambda: _read(cloud.client("cloudwatch"), begin, end))
    finally:
        _move(sagemaker, original)
        sagemaker.delete_endpoint_config(EndpointConfigName=CONFIG)
    offset.refuse_above(limit)
    return offset


def _shadow_with_itself(sagemaker: Any, original: str) -> None:
    config = sagemaker.describe_endpoint_config(EndpointConfigName=original)
    production = config["ProductionVariants"]
    shadow = copy.deepcopy(production)
    shadow[0]["VariantName"] = "shadow"
    sagemaker.create_endpoint_config(
        EndpointConfigName=CONFIG,
        ProductionVariants=production,
        ShadowProductionVariants=shadow,
        MetricsConfig=config["MetricsConfig"],
    )


def _move(sagemaker: Any, config: str) -> None:
    sagemaker.update_endpoint(EndpointName=seed.ENDPOINT, EndpointConfigName=config)
    seed.wait_in_service(sagemaker, 120.0)


def _window(now: datetime) -> tuple[datetime, datetime]:
    """Return the measured window: whole periods, after at least one that warms the new instances up."""
    seconds = (int(now.timestamp()) // seed.PERIOD + 2) * seed.PERIOD
    begin = datetime.fromtimestamp(seconds, UTC)
    return begin, begin + timedelta(seconds=MEASURED * seed.PERIOD)


def _until_published(read: Callable[[], Offset | None], patience: float = 30.0) -> Offset:
    deadline = time.monotonic() + patience
    while (offset := read()) is None:
        if time.monotonic() > deadline:
            raise UnfitError(f"The metrics of two equal variants did not appear within {patience:.0f} s.")
        time.sleep(0.5)
    return offset


def _read(cloudwatch: Any, begin: datetime, end: datetime) -> Offset | None:
    """Return the mean log ratio of the periods' quantiles as offsets; None while a period is missing."""
    import numpy as np

    queries = [
        {
            "Id": f"{variant}_{stat.lower()}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/SageMaker",
                    "MetricName": "ModelLatency",
                    "Dimensions": [
                        {"Name": "EndpointName", "Value": seed.ENDPOINT},
                        {"Name": "VariantName", "Value": name},
                    ],
                },
                "Period": seed.PERIOD,
                "Stat": stat,
            },
        }
        for variant, name in (("production", seed.VARIANT), ("shadow", "shadow"))
        for stat in (*QUANTILES, "SampleCount")
    ]
    results = cloudwatch.get_metric_data(MetricDataQueries=queries, StartTime=begin, EndTime=end)[
        "MetricDataResults"
    ]
    values = {each["Id"]: each["Values"] for each in results}
    if any(len(points) != MEASURED for points in values.values()):
        return None
    ratios = {
        q: float(np.exp(np.mean(np.log(values[f"shadow_{q}"])) - np.mean(np.log(values[f"production_{q}"]))))
        - 1
        for q in QUANTILES
    }
    return Offset(by_quantile=ratios, requests=int(sum(values["shadow_samplecount"])))
