"""What CloudWatch says about a variant, as a person would ask for it."""

import datetime
from typing import Any

INVOCATION = (
    "Invocations",
    "InvocationsPerInstance",
    "ModelLatency",
    "OverheadLatency",
    "Invocation4XXErrors",
    "Invocation5XXErrors",
    "InvocationModelErrors",
)


def sums(cloudwatch: Any, endpoint: str, variant: str, since: datetime.datetime) -> dict[str, float]:
    """Return the sums of a variant's metrics in the day that begins two minutes before `since`; 0 where none is."""
    begin = since - datetime.timedelta(minutes=2)
    found = {}
    for name in INVOCATION:
        points = cloudwatch.get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=name,
            Dimensions=[
                {"Name": "EndpointName", "Value": endpoint},
                {"Name": "VariantName", "Value": variant},
            ],
            StartTime=begin,
            EndTime=begin + datetime.timedelta(days=1),
            Period=60,
            Statistics=["Sum"],
        )["Datapoints"]
        found[name] = sum(point["Sum"] for point in points)
    return found
