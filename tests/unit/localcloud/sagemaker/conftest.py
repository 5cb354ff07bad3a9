"""Names that the tests of the control plane share."""

from typing import Any

import pytest


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
