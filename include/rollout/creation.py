"""What a spec says of an endpoint that the rollout creates: what production is there, and whether it stays."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import Field

from include.rollout.names import resource_name
from include.rollout.section import InstanceType, Name, Section
from include.rollout.verdict import End

PRODUCTION_ROLE = "production"  # of the config that a created endpoint begins with, in its name
_VARIANT = "AllTraffic"  # as SageMaker's own SDK names the only one
_USUAL_PERIOD = 60  # seconds; for a finer one the metrics must be asked for


class Removal(StrEnum):
    """When the endpoint that a rollout created is removed again."""

    NEVER = "never"
    UNLESS_PROMOTED = "unless_promoted"
    ALWAYS = "always"


class CreateSection(Section):
    """The endpoint does not exist: the rollout creates it with this production, then puts the shadow beside it."""

    model: Name = Field(description="an existing SageMaker model, which production serves")
    instance_type: InstanceType = Field(description="instance type of production", examples=["ml.m5.xlarge"])
    instance_count: int = Field(default=1, ge=1, le=100, description="instances of production")
    remove: Removal = Field(
        default=Removal.NEVER,
        description="when the endpoint is deleted at the rollout's end, with the configs and models that it made",
    )

    def removes(self, end: End) -> bool:
        """Say whether the endpoint is removed at this end."""
        return self.remove is Removal.ALWAYS or (
            self.remove is Removal.UNLESS_PROMOTED and end is not End.PROMOTED
        )


def production_config(
    create: CreateSection, *, rollout: str, endpoint: str, variant: str | None, period: int
) -> Mapping[str, Any]:
    """Return the CreateEndpointConfig arguments of production alone, with metrics as fine as the window's period."""
    arguments: dict[str, Any] = {
        "EndpointConfigName": resource_name(rollout, PRODUCTION_ROLE, endpoint),
        "ProductionVariants": [
            {
                "VariantName": variant or _VARIANT,
                "ModelName": create.model,
                "InstanceType": create.instance_type,
                "InitialInstanceCount": create.instance_count,
                "InitialVariantWeight": 1.0,
            }
        ],
    }
    if period < _USUAL_PERIOD:
        arguments["MetricsConfig"] = {
            "EnableEnhancedMetrics": True,
            "MetricPublishFrequencyInSeconds": period,
        }
    return arguments
