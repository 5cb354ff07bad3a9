"""Names that the tests of the control plane share."""

from typing import Any

import pytest

from tests.unit.localcloud.sagemaker.lab import CAPTURE, Lab


@pytest.fixture
def variant() -> Any:
    """Return a maker of endpoint config variants."""

    def make(name: str = "production", model: str = "m", **more: Any) -> dict[str, Any]:
        return {
            "VariantName": name,
            "ModelName": model,
            "InstanceType": "ml.m5.xlarge",
            "InitialInstanceCount": 1,
            "InitialVariantWeight": 1.0,
        } | more

    return make


@pytest.fixture
def lab(held: Any, variant: Any) -> Lab:
    held.model("m")
    held.model("n")
    held.config(
        "one",
        variant(RoutingConfig={"RoutingStrategy": "RANDOM"}),
        DataCaptureConfig=CAPTURE,
        MetricsConfig={"EnableEnhancedMetrics": True, "MetricPublishFrequencyInSeconds": 10},
    )
    held.call("CreateEndpoint", EndpointName="e", EndpointConfigName="one")
    held.quiet()
    return Lab(held)
