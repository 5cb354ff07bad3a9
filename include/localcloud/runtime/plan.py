"""What the control plane asks the runtime to run: plain values, the seam between the two."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class StartupError(Exception):
    """A fleet did not come up; the text is the endpoint's FailureReason, everything started is stopped."""


@dataclass(frozen=True, kw_only=True)
class VariantPlan:
    """One variant: which program, which model, how many instances, which share of the traffic."""

    name: str
    image: str
    model_data: Path | None  # a local model.tar.gz
    environment: Mapping[str, str]
    instance_type: str
    instance_count: int
    weight: float  # production: share of the sum of production weights; shadow: see `mirrored_share`
    shadow: bool
    startup_timeout: float = 240.0  # seconds until /ping must answer 200
    source: Path | None = None  # a local archive of scripts, beside the model's own

    def __post_init__(self) -> None:
        if self.instance_count < 0:
            raise ValueError(
                f"variant {self.name} has instance count {self.instance_count}; it must be 0 or more"
            )
        if not self.weight >= 0:
            raise ValueError(f"variant {self.name} has weight {self.weight}; it must be 0 or more")


@dataclass(frozen=True, kw_only=True)
class CapturePlan:
    """Which share of the requests is recorded, where, and which content types are kept as text."""

    destination: str  # s3://bucket/prefix
    percentage: int  # of requests, 0..100
    input: bool
    output: bool
    csv_types: tuple[str, ...] = ()
    json_types: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.destination.startswith("s3://"):
            raise ValueError(f"capture destination is {self.destination}; it must start with s3://")
        if not 0 <= self.percentage <= 100:
            raise ValueError(f"capture percentage is {self.percentage}; it must be between 0 and 100")


@dataclass(frozen=True, kw_only=True)
class FleetPlan:
    """Everything one endpoint config runs, for one endpoint."""

    endpoint: str
    config: str  # the endpoint config's name: a metric dimension
    variants: tuple[VariantPlan, ...]
    capture: CapturePlan | None = None
    metrics_frequency: int = 60  # seconds between publications of the invocation metrics
    utilisation_frequency: int | None = None  # of the utilisation metrics; None is as often
    enhanced_metrics: bool = False  # publish the metrics of every instance too
    region: str = "us-east-1"  # of the endpoint: its log group is there

    def __post_init__(self) -> None:
        if not any(not variant.shadow for variant in self.variants):
            raise ValueError(
                f"endpoint config {self.config} has no production variant; it needs at least one"
            )
        if self.metrics_frequency < 1:
            raise ValueError(f"metrics frequency is {self.metrics_frequency} s; it must be at least 1 s")


def mirrored_share(*, shadow_weight: float, production_weight: float) -> float:
    """Return min(1, shadow weight / production weight): the share of requests copied to a shadow.

    AWS documents only production weight 1, where the share is the shadow's weight; how other weights
    combine is our decision. A production weight of 0 mirrors nothing.
    """
    if production_weight <= 0:
        return 0.0
    return min(1.0, shadow_weight / production_weight)
