"""Gates: what must hold before a candidate is promoted, and what was found.

A gate is part of the rollout's spec. Its limits serve both the final reading and the early abort,
so that an abort always contradicts what promotion would have to meet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from include.rollout.expectation import ExpectationGate
from include.rollout.operating import CostGate, OverheadGate, SaturationGate
from include.rollout.pattern import PERCENTILE
from include.rollout.rule import Rule, Severity
from include.rollout.section import Section


class Outcome(StrEnum):
    """What a gate found. Only PASS promotes; nothing measured is NO_DATA and can never pass."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    NO_DATA = "NO_DATA"


ErrorMetric = Annotated[
    Literal["InvocationModelErrors", "Invocation4XXErrors", "Invocation5XXErrors"],
    Field(description="the error metric, divided by Invocations"),
]
Quantile = Annotated[str, Field(pattern=PERCENTILE, examples=["p50", "p90", "p99"])]


class CompletenessGate(Rule):
    """Both variants were measured in nearly every period, and the shadow got its share of the requests."""

    kind: Literal["completeness"] = "completeness"
    periods: float = Field(
        default=0.95, gt=0, le=1, description="share of periods in which both variants were measured"
    )
    gap: int = Field(default=3, ge=0, description="longest run of missing periods allowed")
    sample_ratio_alpha: float = Field(
        default=0.001,
        gt=0,
        le=0.1,
        description="error of the test that shadow/production requests equal the sampling",
    )


class MinSampleGate(Rule):
    """Each variant answered at least so many requests in the window."""

    kind: Literal["min_sample"] = "min_sample"
    requests: int = Field(default=1000, ge=1, description="requests that each variant must have answered")


class ErrorRateGate(Rule):
    """The shadow's error rate is not above production's by more than max(relative x production's, absolute)."""

    kind: Literal["error_rate"] = "error_rate"
    metric: ErrorMetric = "InvocationModelErrors"
    relative: float = Field(
        default=0.5, ge=0, le=10, description="allowed increase as a share of production's rate"
    )
    absolute: float = Field(
        default=0.0002, gt=0, lt=1, description="allowed increase as a fraction of requests"
    )
    abort: bool = Field(default=True, description="take part in the early abort")

    @property
    def name(self) -> str:
        """Name the gate by the metric it reads."""
        return f"error_rate:{self.metric}"


class ErrorThresholdGate(Rule):
    """The shadow's error rate is below a fixed limit, whatever production does (an SLO)."""

    kind: Literal["error_threshold"] = "error_threshold"
    metric: ErrorMetric = "InvocationModelErrors"
    limit: float = Field(gt=0, lt=1, description="highest error rate allowed, as a fraction of requests")
    abort: bool = Field(default=True, description="take part in the early abort")

    @property
    def name(self) -> str:
        """Name the gate by the metric it reads."""
        return f"error_threshold:{self.metric}"


class LatencyThresholdGate(Rule):
    """The shadow's whole-window latency percentile is below a fixed limit (an SLO)."""

    kind: Literal["latency_threshold"] = "latency_threshold"
    quantile: Quantile = "p99"
    limit_ms: float = Field(gt=0, description="highest latency allowed, in milliseconds")

    @property
    def name(self) -> str:
        """Name the gate by its percentile."""
        return f"latency_threshold:{self.quantile}"


class LatencyGate(Rule):
    """The shadow's latency quantile is at most (1 + margin) times production's, period by period."""

    kind: Literal["latency"] = "latency"
    quantile: Quantile = "p90"
    margin: float = Field(
        default=0.10, gt=0, le=2, description="allowed ratio minus one; 0.10 allows 1.10 times production's"
    )
    block: int = Field(
        default=300, ge=10, description="length of the blocks whose means are compared, in seconds"
    )
    abort: bool = Field(default=True, description="take part in the early abort")

    @property
    def name(self) -> str:
        """Name the gate by its quantile."""
        return f"latency:{self.quantile}"


class AgreementGate(Rule):
    """At most a share of the requests gets another decision from the shadow than from production, in every segment."""

    kind: Literal["agreement"] = "agreement"
    limit: float = Field(
        default=0.01, gt=0, lt=0.5, description="highest share of pairs that may disagree, as a fraction"
    )
    unmatched: float = Field(
        default=0.02,
        gt=0,
        le=0.5,
        description="highest share of requests that may be missing from the pairs; of more, nothing is concluded",
    )
    noise_flips: int = Field(
        default=0, ge=0, description="pairs that disagreed when production was shadowed by itself"
    )
    noise_pairs: int = Field(
        default=0,
        ge=0,
        description="of how many; 0: production is taken to agree with itself, else its own flips come on top of limit",
    )
    abort: bool = Field(default=True, description="take part in the early abort")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.noise_flips > self.noise_pairs:
            raise ValueError(
                f"noise_flips is {self.noise_flips} of {self.noise_pairs} noise_pairs; it must be at most as many"
            )
        return self


class DriftGate(Rule):
    """The shadow's outputs are distributed as production's are, on the same requests."""

    kind: Literal["drift"] = "drift"
    mean: float = Field(
        default=0.1,
        gt=0,
        le=5,
        description="largest shift of the mean either way, in standard deviations of production's outputs",
    )
    positives: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="largest change either way of the share of outputs at or above the threshold; left out: told only",
    )
    psi: float | None = Field(
        default=None, gt=0, le=10, description="highest population stability index; left out: told only"
    )
    ks: float | None = Field(
        default=None, gt=0, lt=1, description="highest Kolmogorov-Smirnov distance; left out: told only"
    )
    unmatched: float = Field(
        default=0.02,
        gt=0,
        le=0.5,
        description="highest share of requests that may be missing from the pairs; of more, nothing is concluded",
    )


Gate = Annotated[
    CompletenessGate
    | MinSampleGate
    | ErrorRateGate
    | ErrorThresholdGate
    | LatencyThresholdGate
    | LatencyGate
    | AgreementGate
    | DriftGate
    | SaturationGate
    | OverheadGate
    | CostGate
    | ExpectationGate,
    Field(discriminator="kind"),
]


class GatePolicy(Section):
    """All gates of a rollout, and the error that early aborts may make over all of them."""

    abort_alpha: float = Field(
        default=0.01, gt=0, le=0.2, description="error of the early abort, over all metrics together"
    )
    rules: tuple[Gate, ...] = Field(
        default=(
            CompletenessGate(),
            MinSampleGate(),
            ErrorRateGate(),
            LatencyGate(quantile="p50"),
            LatencyGate(quantile="p90"),
            LatencyGate(quantile="p99"),
        ),
        description="the gates; every critical one must pass",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [rule.name for rule in self.rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the gates {', '.join(twice)} appear more than once; keep one of each")
        kinds = {rule.kind for rule in self.rules if rule.severity is Severity.CRITICAL}
        if "completeness" not in kinds:
            raise ValueError(
                "there is no critical completeness gate; without it missing data could pass, so add one"
            )
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A gate's outcome with its evidence and a reason that carries the numbers.

    `effect`, `low`, `high` and `limit` share the unit named in `unit`; a side that does not exist is None.
    `log_e` is the natural logarithm of the abort's e-value at the last period, if the gate has one.
    """

    gate: str
    kind: str
    severity: Severity
    outcome: Outcome
    reason: str
    unit: str = ""
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    alpha: float | None = None
    log_e: float | None = None
    n: int = 0  # requests of the shadow that the finding rests on
    periods: int = 0
    dropped: int = 0  # periods left out for both variants
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def binds(self) -> bool:
        """Say whether this finding takes part in the verdict."""
        return self.severity is Severity.CRITICAL
