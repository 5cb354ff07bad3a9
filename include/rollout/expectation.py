"""The gate that asks a Great Expectations expectation of the predictions, checked without importing Great Expectations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, JsonValue, model_validator

from include.rollout.pattern import LABEL
from include.rollout.rule import Rule

CATALOGUE = Path(__file__).with_name("expectations.json")
"""Stock expectations and their arguments, made by `python -m include.gates.catalogue`."""

_JSON_TYPES: Mapping[type, str] = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
    type(None): "null",
}


class ExpectationGate(Rule):
    """An expectation of Great Expectations, stock or of your own, holds of the predictions of both variants."""

    kind: Literal["expectation"] = "expectation"
    type: str = Field(
        pattern=r"^(expect_[a-z_]+|[A-Za-z_]\w*(\.[A-Za-z_]\w*)+)$",
        description="a stock expectation (expect_column_values_to_be_between), or the dotted name of a class of this "
        "project's (include.expectations.bounds.ExpectScoresToSpread)",
    )
    kwargs: Mapping[str, JsonValue] = Field(
        default_factory=dict,
        description="its arguments; columns are shadow, production, and of vectors shadow_0 …",
    )
    label: str | None = Field(
        default=None,
        pattern=LABEL,
        description="how findings call it, where two gates ask the same; left out: the type",
    )
    least: int = Field(default=1000, ge=2, description="predictions that it must have been asked of")
    unmatched: float = Field(
        default=0.02,
        gt=0,
        le=0.5,
        description="highest share of requests that may be missing from the pairs; of more, nothing is concluded",
    )

    @property
    def name(self) -> str:
        """Name the gate by its label or by what it asks."""
        return f"expectation:{self.label or self.type.rpartition('.')[2]}"

    @property
    def is_stock(self) -> bool:
        """Say whether Great Expectations itself has it."""
        return "." not in self.type

    @model_validator(mode="after")
    def _known(self) -> Self:
        problems = []
        try:
            json.dumps(self.kwargs, allow_nan=False)
        except ValueError:
            problems.append("kwargs has a number that is not finite; give finite ones")
        if self.is_stock:
            problems += _stock_problems(self.type, self.kwargs)
        if problems:
            raise ValueError("; ".join(problems))
        return self


def _stock_problems(name: str, kwargs: Mapping[str, Any]) -> Iterator[str]:
    """Say what the catalogue has against these arguments of a stock expectation."""
    known = _catalogue().get(name)
    if known is None:
        near = [other for other in _catalogue() if other.startswith(name[:20])][:3]
        hint = f" (such as {', '.join(near)})" if near else ""
        yield f"type is {name}; it must be a stock expectation on columns{hint} or the dotted name of a class"
        return
    for argument, value in kwargs.items():
        allowed = known.get(argument, {}).get("types")
        found = _JSON_TYPES[type(value)]
        if argument not in known:
            yield f"kwargs.{argument} is not known to {name}; it takes {', '.join(known)}"
        elif found not in allowed:
            yield f"kwargs.{argument} is of type {found}; {name} takes {' or '.join(allowed)}"
    if kwargs.get("mostly") == 0:
        yield "kwargs.mostly is 0, which anything meets; give the share of rows that must meet it"
    for argument, about in known.items():
        if about["required"] and argument not in kwargs:
            yield f"kwargs.{argument} is missing; {name} needs it"


@cache
def _catalogue() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    return found
