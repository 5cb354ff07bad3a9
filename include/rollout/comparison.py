"""How the outputs of both variants are compared, request by request: part of the rollout's spec."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from include.rollout.expectation import ExpectationGate
from include.rollout.gate import AgreementGate, DriftGate, GatePolicy
from include.rollout.pattern import JSON_PATH, LABEL
from include.rollout.section import Section

# A column of a line of CSV, counted from 0, or a JSON path.
Place = Annotated[int, Field(ge=0)] | Annotated[str, Field(pattern=JSON_PATH)]


class Output(StrEnum):
    """What an output is; numbers that are not finite are never equal to anything."""

    SCALAR = "scalar"  # a number; several where the request had several rows
    VECTOR = "vector"  # numbers that belong together, such as the probabilities of classes
    LABEL = "label"  # a text
    JSON = "json"  # a document, compared field by field
    RANKED = "ranked"  # a list of items, the best first


class Join(StrEnum):
    """What says that two captures belong to one request."""

    ID = "id"  # the InferenceId, and the input where the caller sent none
    INPUT = "input"  # content type and bytes of the input, the k-th occurrence to the k-th


class Segment(Section):
    """A part of the input that requests are told apart by, so that a regression of a few is not lost among many."""

    name: str = Field(pattern=LABEL, description="how findings call it")
    at: Place = Field(description="the input's column (CSV, from 0) or JSON path")
    edges: tuple[float, ...] = Field(
        default=(), max_length=30, description="for numbers: where one segment ends and the next begins"
    )

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if list(self.edges) != sorted(set(self.edges)):
            raise ValueError(f"edges are {list(self.edges)}; they must rise")
        return self


class PairsSection(Section):
    """How the captures of both variants are paired, and when two outputs agree."""

    output: Output = Field(default=Output.SCALAR, description="what the outputs are")
    at: Place | None = Field(
        default=None,
        description="where in the output the prediction is: a column (CSV, from 0) or a JSON path; left out: the whole output",
    )
    threshold: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="for numbers: the decision; outputs agree when they are on the same side of it",
    )
    argmax: bool = Field(
        default=False, description="for vectors: outputs agree when their largest element is the same"
    )
    absolute: float = Field(
        default=1e-6, ge=0, allow_inf_nan=False, description="difference that is none, in the output's unit"
    )
    relative: float = Field(
        default=0.0, ge=0, le=1, description="difference that is none, as a share of production's output"
    )
    ignore: tuple[str, ...] = Field(
        default=(), description="for JSON: fields not compared, such as $.request_id or $.items[*].id"
    )
    top: int = Field(default=10, ge=1, le=1000, description="for rankings: how many items count")
    overlap: float = Field(
        default=1.0, gt=0, le=1, description="for rankings: share of the top items that must be the same"
    )
    unit: float = Field(
        default=1.0,
        gt=0,
        allow_inf_nan=False,
        description="sums are kept in this unit, exact to 1e-9 of it and up to a million of it",
    )
    latency: Place | None = Field(
        default=None,
        description="where in the output the container reports its own time: a column or a JSON path",
    )
    segments: tuple[Segment, ...] = Field(
        default=(), max_length=8, description="parts of the input by which agreement is told apart"
    )
    join: Join = Field(
        default=Join.ID,
        description="id: the InferenceId, and the input where the caller sent none; input: always the input",
    )
    slack: float = Field(
        default=60.0,
        ge=1,
        le=3600,
        description="seconds that the two captures of a request may lie apart",
    )
    delivery: int = Field(
        default=600,
        ge=0,
        le=3600,
        description="seconds after the window's end until captures that are not there count as missing",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = []
        numbers = (Output.SCALAR, Output.VECTOR)
        if self.threshold is not None and self.output not in numbers:
            problems.append(f"threshold needs output scalar or vector; it is {self.output.value}")
        if self.argmax and self.output is not Output.VECTOR:
            problems.append(f"argmax needs output vector; it is {self.output.value}")
        if self.argmax and self.threshold is not None:
            problems.append("argmax and threshold are two decisions; name one")
        if self.ignore and self.output is not Output.JSON:
            problems.append(f"ignore needs output json; it is {self.output.value}")
        if isinstance(self.latency, int) and self.output in numbers and not isinstance(self.at, int):
            problems.append(
                "latency is a column of the output; say with at in which column the prediction is"
            )
        wrong = [path for path in self.ignore if not path.startswith("$.")]
        if wrong:
            problems.append(f"ignore has {wrong[0]!r}; a path begins with $.")
        names = [segment.name for segment in self.segments]
        if len(set(names)) < len(names):
            problems.append("two segments have the same name; keep one of each")
        if problems:
            raise ValueError("; ".join(problems))
        return self


_AGREEMENT = ("output", "at", "threshold", "argmax", "absolute", "relative", "ignore", "top", "overlap")


def agreement_terms(pairs: PairsSection | None) -> dict[str, Any] | None:
    """Return, in JSON-safe form, what decides whether two outputs agree; flips counted under other terms are others."""
    return None if pairs is None else pairs.model_dump(mode="json", include=set(_AGREEMENT))


def unmeasurable(pairs: PairsSection | None, gates: GatePolicy, captured: int | None) -> list[str]:
    """Say what the gates ask of the pairs that these terms, or the share of requests captured (in %), cannot give."""
    problems = []
    asking = [gate for gate in gates.rules if isinstance(gate, AgreementGate | DriftGate | ExpectationGate)]
    if pairs is None:
        return [f"gate {gate.name} compares answers; it needs a pairs section" for gate in asking]
    if captured is None:
        problems.append("pairs are read from captures; there must be a capture section")
    elif captured < 100:
        problems.append(
            f"capture.percentage is {captured}; pairs need 100, SageMaker does not say that it captures the same requests "
            "of both variants"
        )
    for gate in asking:
        if isinstance(gate, ExpectationGate) and pairs.output in (Output.JSON, Output.RANKED):
            problems.append(
                f"gate {gate.name} needs pairs.output scalar, vector or label; it is {pairs.output.value}"
            )
        if isinstance(gate, DriftGate) and pairs.output in (Output.JSON, Output.RANKED):
            problems.append(
                f"gate drift needs pairs.output scalar, vector or label; it is {pairs.output.value}"
            )
        if isinstance(gate, DriftGate) and gate.ks is not None and pairs.output is Output.LABEL:
            problems.append(
                "gate drift has ks and pairs.output is label; labels have no order, so bound psi instead"
            )
        if isinstance(gate, DriftGate) and gate.positives is not None and pairs.threshold is None:
            problems.append("gate drift has positives; say with pairs.threshold what is positive")
    return problems
