"""Columns of the answers: each element of a vector, each label; counted so that partial counts merge exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from include.rollout.moments import Moments
from include.rollout.sketch import Sketch

MOST_COLUMNS = 64  # elements or labels; more of them are counted by none


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One number of the answers, of both variants, over all pairs; in units."""

    production: Moments = field(default_factory=Moments)
    shadow: Moments = field(default_factory=Moments)
    shift: Moments = field(default_factory=Moments)  # the shadow's minus production's, pair by pair
    production_outputs: Sketch = field(default_factory=Sketch)
    shadow_outputs: Sketch = field(default_factory=Sketch)

    def __add__(self, other: Column) -> Column:
        """Return the column over the pairs of both."""
        return Column(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(Column)})

    def to_document(self) -> dict[str, Any]:
        """Return a JSON-safe form that `from_document` reads back."""
        return {f.name: getattr(self, f.name).to_document() for f in fields(self)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_document` wrote."""
        return cls(
            production=Moments.from_document(document["production"]),
            shadow=Moments.from_document(document["shadow"]),
            shift=Moments.from_document(document["shift"]),
            production_outputs=Sketch.from_document(document["production_outputs"]),
            shadow_outputs=Sketch.from_document(document["shadow_outputs"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """How many pairs got a label from either variant, and from both."""

    production: int = 0
    shadow: int = 0
    both: int = 0

    def __add__(self, other: Label) -> Label:
        """Return the label over the pairs of both."""
        return Label(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(Label)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The elements of vectors beyond the first, by their index from 0, and the labels; empty for single numbers.

    With more than MOST_COLUMNS of either, they are only said to be `many`.
    """

    elements: Mapping[str, Column] = field(default_factory=dict)
    labels: Mapping[str, Label] = field(default_factory=dict)
    many: bool = False

    def __bool__(self) -> bool:
        """Say whether there is anything."""
        return bool(self.elements or self.labels or self.many)

    def __add__(self, other: Columns) -> Columns:
        """Return the columns over the pairs of both."""
        elements = {
            name: self.elements.get(name, Column()) + other.elements.get(name, Column())
            for name in {*self.elements, *other.elements}
        }
        labels = {
            name: self.labels.get(name, Label()) + other.labels.get(name, Label())
            for name in {*self.labels, *other.labels}
        }
        if self.many or other.many or max(len(elements), len(labels)) > MOST_COLUMNS:
            return Columns(many=True)
        return Columns(elements=elements, labels=labels)

    def to_document(self) -> dict[str, Any]:
        """Return a JSON-safe form that `from_document` reads back."""
        return {
            "elements": {name: self.elements[name].to_document() for name in sorted(self.elements)},
            "labels": {
                name: [label.production, label.shadow, label.both]
                for name, label in sorted(self.labels.items())
            },
            "many": self.many,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_document` wrote."""
        return cls(
            elements={name: Column.from_document(part) for name, part in document["elements"].items()},
            labels={
                name: Label(production=p, shadow=s, both=b) for name, (p, s, b) in document["labels"].items()
            },
            many=document["many"],
        )
