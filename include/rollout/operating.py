"""Gates on what it takes to run the candidate: its instances' load, SageMaker's own time and money."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from include.rollout.pattern import PERCENTILE
from include.rollout.rule import Rule

UtilizationMetric = Literal[
    "CPUUtilization", "MemoryUtilization", "DiskUtilization", "GPUUtilization", "GPUMemoryUtilization"
]
_BLOCK = "length of the blocks whose means the limits are computed from, in seconds"


class SaturationGate(Rule):
    """The shadow's instances have room left: a resource is in use below a limit, and not much more than production's."""

    kind: Literal["saturation"] = "saturation"
    metric: UtilizationMetric = Field(
        default="CPUUtilization", description="the resource; GPUs where SageMaker publishes them"
    )
    limit: float = Field(
        default=80,
        gt=0,
        le=100,
        description="highest use allowed, in percent of an instance with all its cores, or GPUs",
    )
    margin: float | None = Field(
        default=None,
        gt=0,
        le=10,
        description="allowed ratio to production's use minus one; left out: the ratio is told only",
    )
    block: int = Field(default=300, ge=10, description=_BLOCK)

    @property
    def name(self) -> str:
        """Name the gate by the resource."""
        return f"saturation:{self.metric}"


class OverheadGate(Rule):
    """What SageMaker adds to the shadow's own time per request stays below a limit."""

    kind: Literal["overhead"] = "overhead"
    quantile: str = Field(
        default="p50", pattern=PERCENTILE, description="which percentile of OverheadLatency"
    )
    limit_ms: float = Field(gt=0, description="highest mean of the periods' percentiles, in milliseconds")
    block: int = Field(default=300, ge=10, description=_BLOCK)

    @property
    def name(self) -> str:
        """Name the gate by its percentile."""
        return f"overhead:{self.quantile}"


class CostGate(Rule):
    """The candidate's instances cost at most so much, against production's and per million requests."""

    kind: Literal["cost"] = "cost"
    ratio: float | None = Field(
        default=None,
        gt=0,
        le=100,
        description="highest price per hour as a multiple of production's; left out: told only",
    )
    per_million: float | None = Field(
        default=None,
        gt=0,
        description="highest USD per million requests at the rate that production answers; left out: told only",
    )

    @model_validator(mode="after")
    def _limited(self) -> Self:
        if self.ratio is None and self.per_million is None:
            raise ValueError("neither ratio nor per_million is given; name the limit that must hold")
        return self
