"""The spec: what was asked, as reviewed YAML. One frozen model; every mistake in a file is named at once."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from include.rollout.budget import BudgetSection
from include.rollout.comparison import PairsSection, unmeasurable
from include.rollout.creation import CreateSection
from include.rollout.errors import SpecError
from include.rollout.gate import GatePolicy
from include.rollout.mistake import problem, shown
from include.rollout.notify import NotifySection
from include.rollout.pattern import S3_URI
from include.rollout.promotion import PromotionSection, Settings, unpromotable, unwatchable
from include.rollout.refresh import RefreshSection
from include.rollout.replay import ReplaySection
from include.rollout.section import InstanceType, Name, Section
from include.rollout.window import WindowSection

S3Uri = Annotated[str, Field(pattern=S3_URI)]
SHORTEST_TEST, LONGEST_TEST = 3600, 30 * 86400  # seconds that SageMaker lets an inference experiment last
_JUDGING = 3600  # seconds for judging and deciding, while the shadow is still there


class Strategy(StrEnum):
    """How the shadow is put on the endpoint."""

    SELF_SERVICE = "self_service"  # our own endpoint configs with ShadowProductionVariants
    MANAGED = "managed"  # SageMaker's own shadow test, an inference experiment


class Mode(StrEnum):
    """What the rollout is for."""

    CANDIDATE = "candidate"  # judge a candidate, then promote it or roll back
    DRY_RUN = "dry_run"  # judge a candidate, record what would have been done, restore
    AA = "aa"  # shadow production with itself, to measure the noise that later verdicts allow for


class EndpointSection(Section):
    """The endpoint, and which of its production variants is challenged."""

    name: Name = Field(description="the SageMaker endpoint; it must be InService, or be created")
    variant: Name | None = Field(
        default=None, description="the production variant; may be left out when there is only one"
    )
    create: CreateSection | None = Field(
        default=None, description="left out: the endpoint exists; else what it is created with"
    )


class CandidateSection(Section):
    """What is on trial. Whatever is left out is copied whole from production."""

    package_group: Name | None = Field(
        default=None, description="model package group to register in; default: the endpoint's name"
    )
    package: str | None = Field(default=None, description="ARN of an existing model package")
    artifact: str | None = Field(
        default=None, description="model.tar.gz: an s3:// URI, or a local file, which is uploaded"
    )
    image: str | None = Field(default=None, description="container image URI")
    environment: Mapping[str, str] = Field(
        default_factory=dict, description="environment variables to set or replace"
    )
    instance_type: InstanceType | None = Field(default=None, examples=["ml.m5.xlarge"])
    instance_count: int | None = Field(
        default=None, ge=1, le=100, description="instances of the shadow; left out: as many as production has"
    )
    autoscaling: bool | None = Field(
        default=None,
        description="the shadow scales as production does; left out: unless instance_count says how many it has",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.package and (self.artifact or self.image or self.environment):
            raise ValueError("package excludes artifact, image and environment; a package already names them")
        return self


# What of the candidate may differ from production.
_CHANGES = ("package", "artifact", "image", "environment", "instance_type", "instance_count")


class CaptureSection(Section):
    """Data capture of both variants while the shadow runs."""

    destination: S3Uri
    percentage: int = Field(default=100, ge=1, le=100)
    kms_key: str | None = Field(
        default=None,
        min_length=1,
        max_length=2048,
        description="KMS key (id, ARN or alias) that encrypts what is captured; left out: that of production's own capture",
    )


class RolloutSpec(Section):
    """One rollout: an endpoint, a candidate, a window and the gates."""

    description: str = Field(default="", description="shown in the plan and the report")
    endpoint: EndpointSection
    connection: str = Field(
        default="aws_default",
        description="the Airflow connection with account, region, role and endpoint_url",
    )
    strategy: Strategy = Strategy.SELF_SERVICE
    mode: Mode = Mode.CANDIDATE
    side_effect_free: Literal[True] = Field(
        description="must be true: the shadow answers copies of real requests, so the model may not change anything outside itself"
    )
    candidate: CandidateSection = Field(default_factory=CandidateSection)
    sampling: float = Field(
        default=1.0, gt=0, le=1, description="share of the requests that is copied to the shadow"
    )
    capture: CaptureSection | None = Field(
        default=None, description="left out: the shadow's answers are discarded"
    )
    replay: ReplaySection | None = Field(
        default=None, description="left out: live traffic alone is looked at"
    )
    pairs: PairsSection | None = Field(
        default=None, description="left out: the answers of both variants are not compared"
    )
    window: WindowSection = Field(default_factory=WindowSection)
    gates: GatePolicy = Field(default_factory=GatePolicy)
    promotion: PromotionSection = Field(default_factory=PromotionSection)
    budget: BudgetSection | None = Field(
        default=None, description="left out: the shadow may cost what the window takes"
    )
    notify: NotifySection | None = Field(
        default=None, description="left out: nobody is told; Airflow and the console show it all the same"
    )
    refresh: RefreshSection | None = Field(
        default=None, description="left out: the rollout is only started by a person"
    )
    when_busy: Literal["refuse", "wait"] = Field(
        default="refuse", description="what to do while another rollout has the endpoint"
    )
    busy_timeout: int = Field(
        default=3600, ge=10, le=7 * 86400, description="seconds to wait when when_busy is wait"
    )
    deploy_timeout: int = Field(
        default=3600, ge=30, le=4 * 3600, description="seconds that one endpoint update may take"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = []
        if self.promotion.settings is Settings.SHADOW and self.sampling < 1:
            problems.append(
                f"promotion.settings is shadow with sampling {self.sampling:g}; the shadow's instances are only "
                "proven at sampling 1, so sample everything or promote with production's settings"
            )
        for gate in self.gates.rules:
            block = getattr(gate, "block", self.window.period)
            if block % self.window.period:
                problems.append(
                    f"gate {gate.name} has block {block}; it must be a multiple of window.period ({self.window.period})"
                )
        problems += unmeasurable(
            self.pairs, self.gates, None if self.capture is None else self.capture.percentage
        )
        problems += self._unlimited()
        guardrails = self.promotion.guardrails
        if guardrails is not None and guardrails.wait < self.window.period:
            problems.append(
                f"promotion.guardrails.wait is {guardrails.wait}; its alarms look at periods of {self.window.period} s "
                "(window.period), so wait for one at least"
            )
        if self.endpoint.create is not None and self.refresh is not None:
            problems.append(
                "endpoint.create is set and there is a refresh; a refresh looks for candidates of an endpoint that exists"
            )
        problems += unpromotable(self.promotion, managed=self.strategy is Strategy.MANAGED)
        problems += unwatchable(
            self.promotion.watch,
            self.gates.rules,
            period=self.window.period,
            length=self.window.length,
        )
        if self.strategy is Strategy.MANAGED:
            problems += self._unmanageable()
        candidate = self.candidate
        if self.mode is Mode.AA:
            asked = [name for name in _CHANGES if getattr(candidate, name)]
            if asked:
                problems.append(
                    f"mode is aa and candidate asks for {', '.join(asked)}; an A/A rollout shadows production with itself, "
                    "so leave the candidate empty"
                )
            if self.refresh is not None:
                problems.append("mode is aa and there is a refresh; an A/A rollout tries no candidate")
        if (
            self.mode is Mode.CANDIDATE
            and self.promotion.settings is Settings.PRODUCTION
            and not (self.promotion.instance_type or self.promotion.instance_count)
            and (candidate.instance_type or candidate.instance_count)
            and not (candidate.package or candidate.artifact or candidate.image or candidate.environment)
            and self.refresh is None
        ):
            problems.append(
                "the candidate changes nothing but its instances and promotion.settings is production, so promoting it "
                "would change nothing; set promotion.settings to shadow, name promotion.instance_type or instance_count, or "
                "set mode to dry_run"
            )
        if (
            self.refresh is not None
            and self.refresh.package_group is not None
            and (candidate.image or candidate.environment)
        ):
            problems.append(
                "refresh.package_group excludes candidate.image and candidate.environment; a package already names them"
            )
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def test_seconds(self) -> int:
        """Return how long a managed test is scheduled for: beyond all the rollout may wait for, an hour to 30 days."""
        # A person may extend the window by its maximum once more.
        longest = self._watched + self.window.maximum
        return min(max(longest + self.promotion.kept, SHORTEST_TEST), LONGEST_TEST)

    @property
    def judged(self) -> int:
        """Return how many seconds after its window opened a rollout is judged at the latest, unless people extend it."""
        window = self.window
        return window.warm_up + window.period + window.maximum + window.lag + _JUDGING

    @property
    def _watched(self) -> int:
        return self.deploy_timeout + self.window.opening + self.judged

    def _unlimited(self) -> list[str]:
        """Say what would go on costing behind the window, where the budget stops nothing."""
        promotion = self.promotion
        if self.budget is None or not (promotion.approval and promotion.keep_shadow):
            return []
        return [
            f"budget.limit is {self.budget.limit:g} and promotion.keep_shadow leaves the shadow on the endpoint for up to "
            f"{promotion.approval_timeout} s behind the window, which nothing cuts short; leave one of them out"
        ]

    def _unmanageable(self) -> list[str]:
        """Say what SageMaker's own shadow tests cannot do."""
        problems = []
        if abs(self.sampling * 100 - round(self.sampling * 100)) > 1e-9:
            problems.append(
                f"strategy is managed with sampling {self.sampling:g}; a managed test copies whole per cents, "
                "so round it, or take self_service"
            )
        if self.capture is not None and self.capture.percentage != 100:
            problems.append(
                f"strategy is managed with capture.percentage {self.capture.percentage}; a managed test captures "
                "everything, so set it to 100, or take self_service"
            )
        if self._watched > LONGEST_TEST:
            problems.append(
                f"strategy is managed and the rollout may watch for {self._watched} s; a managed test lasts at most "
                f"30 days ({LONGEST_TEST} s), so shorten window.maximum"
            )
        return problems


def parse(document: object, source: str) -> RolloutSpec:
    """Return the spec in `document`, or raise SpecError naming every mistake with its path, what was found and what is allowed."""
    if not isinstance(document, Mapping):
        raise SpecError(source, (f"the top level is {shown(document)}; it must be a mapping",))
    lines: list[dict[str, Any]] = []
    candidate: Mapping[Any, Any] = document
    # Rules between fields are only checked once each field is right. So wrong parts are mended in a copy, and
    # the copy is checked again, until nothing is left: a reader gets all mistakes in one go.
    while True:
        try:
            spec = RolloutSpec.model_validate(candidate)
        except ValidationError as error:
            found = [dict(line) for line in error.errors()]
        else:
            if not lines and not _asks_for_nothing(document):
                return spec
            break
        lines += [line for line in found if candidate is document or line["type"] == "value_error"]
        mended = _mended(candidate, found)
        if mended == candidate:
            break
        candidate = mended
    problems = [problem(line) for line in lines]
    if _asks_for_nothing(document):
        problems.append(
            f"candidate asks for nothing that production has not; name one of {', '.join(_CHANGES)}, or set mode to aa to "
            "measure the endpoint's noise"
        )
    raise SpecError(source, tuple(dict.fromkeys(problems)))


def _asks_for_nothing(document: Mapping[Any, Any]) -> bool:
    candidate = document.get("candidate") or {}
    return (
        document.get("mode") != Mode.AA
        and not document.get("refresh")
        and isinstance(candidate, Mapping)
        and all(candidate.get(name) in (None, "", {}) for name in _CHANGES)
    )


def recall(document: object, source: str) -> RolloutSpec:
    """Return a spec that was resolved and stored earlier; fields that are not known here are passed over.

    A rollout may be opened by a newer version than the process that settles it, while an installation is being
    renewed; the way back must not fail over a field it would not have used. SpecError for anything else.
    """
    try:
        return RolloutSpec.model_validate(document, extra="ignore")
    except ValidationError as error:
        raise SpecError(source, tuple(problem(dict(line)) for line in error.errors())) from None


def merge(document: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return `document` with `overrides` laid over it, mapping by mapping; any other value replaces what was there."""
    merged = dict(document)
    for key, value in overrides.items():
        below = merged.get(key)
        merged[key] = (
            merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
        )
    return merged


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a spec file, for editors."""
    return RolloutSpec.model_json_schema()


_MENDED: Mapping[tuple[str, ...], Any] = {
    ("endpoint",): {"name": "x"},
    ("endpoint", "name"): "x",
    ("endpoint", "create"): None,
    ("side_effect_free",): True,
    ("candidate",): {},
    ("replay", "source"): "x",
    ("replay", "rate"): 1.0,
    ("replay", "redaction", "rules"): [{"action": "drop", "column": 0}, {"action": "drop", "path": "$.x"}],
    ("refresh", "schedule"): "@daily",
    ("budget", "limit"): 1.0,
    ("notify", "topic"): "arn:aws:sns:us-east-1:123456789012:x",
}


def _mended(document: Mapping[Any, Any], lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a copy in which each wrong part is gone, or stands at a value that is allowed where it must be given."""
    mended: dict[str, Any] = copy.deepcopy(dict(document))
    for line in lines:
        path = tuple(part for part in line["loc"] if isinstance(part, str))
        if "rules" in path:  # one wrong gate takes the list with it
            path = path[: path.index("rules") + 1]
        below: Any = mended
        for part in path[:-1]:
            below = below.get(part) if isinstance(below, dict) else None
        if isinstance(below, dict) and path in _MENDED:
            below[path[-1]] = copy.deepcopy(_MENDED[path])
        elif isinstance(below, dict) and path:
            below.pop(path[-1], None)
    return mended
