"""Sums of values, exact on a grid: whole numbers, so that partial sums merge to the last bit in any order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

GRID = 30  # values are rounded to whole numbers of 2^-30 units, about 1e-9, before they are summed
LARGEST = 2.0**20  # units; a larger value is not summed but counted as out of range


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """How many values, their sum and the sum of their squares, exact on a grid."""

    n: int = 0
    total: int = 0  # of 2^-GRID units
    squares: int = 0  # of 2^-(2 GRID) units squared

    def __add__(self, other: Moments) -> Moments:
        """Return the moments of both."""
        return Moments(
            n=self.n + other.n, total=self.total + other.total, squares=self.squares + other.squares
        )

    @property
    def mean(self) -> float:
        """Return the mean in units; NaN of no values."""
        return self.total / (self.n << GRID) if self.n else math.nan

    @property
    def sd(self) -> float:
        """Return the sample's standard deviation in units; NaN of fewer than two values."""
        if self.n < 2:
            return math.nan
        # n Q - T^2, exact in whole numbers: no cancellation, however close the values lie together
        spread = self.n * self.squares - self.total * self.total
        return math.sqrt(spread / ((self.n * (self.n - 1)) << (2 * GRID)))

    @classmethod
    def of(cls, *values: float) -> Self:
        """Count values that are finite and at most LARGEST in size; ValueError else."""
        for value in values:
            if not abs(value) <= LARGEST:
                raise ValueError(f"{value} cannot be summed; values are finite and at most {LARGEST:g} units")
        whole = [round(value * 2.0**GRID) for value in values]
        return cls(n=len(whole), total=sum(whole), squares=sum(number * number for number in whole))

    def to_document(self) -> dict[str, Any]:
        """Return a JSON-safe form that `from_document` reads back; sums are texts, they outgrow JSON's numbers."""
        return {"n": self.n, "total": str(self.total), "squares": str(self.squares)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_document` wrote."""
        return cls(**{name: int(number) for name, number in document.items()})
