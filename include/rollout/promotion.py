"""What a spec says of the promotion: on which instances, who must agree, and under which guardrails."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from include.rollout.gate import ErrorRateGate, ErrorThresholdGate, Gate, LatencyGate, Quantile
from include.rollout.promotion_window import LONGEST_WAIT, PromotionWindow
from include.rollout.rule import Severity
from include.rollout.section import InstanceType, Section

WATCHED = (ErrorRateGate, ErrorThresholdGate, LatencyGate)  # kinds of gates that watch a promoted candidate
_LONGEST_DEPLOYMENT = 28800  # seconds that SageMaker lets a guarded deployment take


class Settings(StrEnum):
    """Which instances the promoted candidate runs on."""

    PRODUCTION = "production"  # production's instance type and live count
    SHADOW = "shadow"  # the shadow's, allowed only when it carried 100 % of the requests


class Promoter(StrEnum):
    """Who carries the promotion out."""

    ROLLOUT = "rollout"  # an update of our own, under production's variant name
    SAGEMAKER = "sagemaker"  # the managed test's own Promote, under the shadow's variant name


class GuardrailSection(Section):
    """How traffic moves to the promoted candidate, and when SageMaker takes it back. At least one alarm is named."""

    traffic: Literal["canary", "linear", "all_at_once"] = Field(
        default="canary",
        description="a first share and then the rest, equal shares, or everything at once and watched then",
    )
    step: int = Field(
        default=10, ge=10, le=50, description="per cent of the traffic that the canary or each linear step is"
    )
    wait: int = Field(default=600, ge=10, le=3600, description="seconds that each step is watched")
    error_rate: float | None = Field(
        default=0.05,
        gt=0,
        lt=1,
        description="alarm above this share of model errors within a period; null: no such alarm",
    )
    latency_ms: float | None = Field(
        default=None, gt=0, description="alarm above this latency in milliseconds; left out: no such alarm"
    )
    quantile: Quantile = Field(default="p99", description="of latency_ms: the percentile within a period")

    @property
    def seconds(self) -> int:
        """Return for how long the promotion is watched, over all steps."""
        steps = {"all_at_once": 1, "canary": 2, "linear": -(-100 // self.step)}[self.traffic]
        return steps * self.wait

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        if self.error_rate is None and self.latency_ms is None:
            raise ValueError("it names no alarm; give error_rate or latency_ms, or leave guardrails out")
        if self.seconds >= _LONGEST_DEPLOYMENT:
            raise ValueError(
                f"its steps take {self.seconds} s; a deployment may take {_LONGEST_DEPLOYMENT} s, so take larger steps "
                "or a shorter wait"
            )
        return self


class PromotionSection(Section):
    """How the candidate takes over, and who must agree."""

    by: Promoter = Field(
        default=Promoter.ROLLOUT,
        description="who carries it out: an update of our own, or SageMaker's own Promote of a managed test",
    )
    settings: Settings = Field(
        default=Settings.PRODUCTION,
        description="instances of the promoted candidate: production's or the shadow's",
    )
    instance_type: InstanceType | None = Field(
        default=None, description="of the promoted candidate, instead of that of `settings`"
    )
    instance_count: int | None = Field(
        default=None, ge=1, description="of the promoted candidate, instead of that of `settings`"
    )
    guardrails: GuardrailSection | None = Field(
        default=None, description="left out: the promoted candidate gets all traffic at once, without alarms"
    )
    approval: bool = Field(
        default=False, description="a person approves in Airflow before the candidate is promoted"
    )
    override: bool = Field(
        default=False,
        description="a person may promote a rollout whose verdict is INCONCLUSIVE; a FAIL can never be overridden",
    )
    approval_timeout: int = Field(
        default=86400, ge=10, le=30 * 86400, description="seconds until an unanswered approval counts as no"
    )
    keep_shadow: bool = Field(
        default=False, description="leave the shadow on the endpoint while a person is asked to approve"
    )
    windows: tuple[PromotionWindow, ...] = Field(
        default=(), description="when a promotion may begin; left out: at any time"
    )
    watch: int = Field(
        default=0,
        ge=0,
        le=30 * 86400,
        description="seconds that the promoted candidate is watched, and taken back on evidence; 0: it is not",
    )

    @property
    def warning(self) -> str | None:
        """Say what is lost where SageMaker promotes; None where the rollout does."""
        if self.by is not Promoter.SAGEMAKER:
            return None
        return (
            "promotion.by is sagemaker, so the promoted candidate serves under the shadow's variant name: alarms and "
            "dashboards that key on production's name see nothing of it, and no alarm can take it back; move them to the "
            "new name, or set promotion.by to rollout."
        )

    @property
    def kept(self) -> int:
        """Return for how many seconds the shadow may stay behind the window, while a person is asked to approve."""
        return self.approval_timeout if self.approval and self.keep_shadow else 0

    @property
    def held(self) -> int:
        """Return for how many seconds a promotion may have to wait for its window."""
        return LONGEST_WAIT if self.windows else 0

    def instances(self, production: tuple[str, int], shadow: tuple[str, int]) -> tuple[str, int]:
        """Return type and count of the promoted candidate's instances, given those that serve both variants now.

        Never fewer than production has: what the spec counted may be older than a scale-out.
        """
        kind, count = shadow if self.settings is Settings.SHADOW else production
        return self.instance_type or kind, max(self.instance_count or count, production[1])


def unpromotable(promotion: PromotionSection, *, managed: bool) -> list[str]:
    """Say what SageMaker's own Promote cannot do of what is asked; nothing where the rollout promotes."""
    if promotion.by is not Promoter.SAGEMAKER:
        return []
    problems = []
    if not managed:
        problems.append(
            "promotion.by is sagemaker and strategy is self_service; only a managed test can be promoted by SageMaker, so "
            "set strategy to managed, or promotion.by to rollout"
        )
    if promotion.guardrails is not None:
        problems.append(
            "promotion.by is sagemaker and there are promotion.guardrails; SageMaker's Promote moves all traffic at once "
            "and watches no alarm, so leave guardrails out, or set promotion.by to rollout"
        )
    if promotion.windows:
        problems.append(
            "promotion.by is sagemaker and there are promotion.windows; the shadow is taken away while a promotion waits, "
            "which ends the test, so leave windows out, or set promotion.by to rollout"
        )
    if promotion.approval and not promotion.keep_shadow:
        problems.append(
            "promotion.by is sagemaker and promotion.approval takes the shadow away before a person is asked, which ends "
            "the test; set promotion.keep_shadow to true, or promotion.by to rollout"
        )
    return problems


def unwatchable(watch: int, rules: Iterable[Gate], *, period: int, length: int) -> list[str]:
    """Say why a promoted candidate cannot be watched for `watch` seconds; nothing where it can, or is not to be."""
    if not watch:
        return []
    problems = []
    if watch % period or watch > length:
        problems.append(
            f"promotion.watch is {watch}; each period of it is compared with one of the window's, so it must be a "
            f"multiple of window.period ({period}) and at most window.length ({length})"
        )
    if not any(isinstance(r, WATCHED) and r.abort and r.severity is Severity.CRITICAL for r in rules):
        problems.append(
            "promotion.watch is set and no gate can watch; add a critical error_rate, error_threshold or latency gate "
            "that takes part in the early abort, or leave watch out"
        )
    return problems
