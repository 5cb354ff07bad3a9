"""Predictions: a sample of the pairs' own answers, the same whoever draws it and in however many parts."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

MOST = 5_000  # pairs that are kept
Answer = Sequence[float] | str | None  # numbers, or a label; None: it could not be read


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """The answers of both variants to at most MOST requests: those whose hash of input and time is least.

    That is a random sample of the requests which does not depend on the answers, and the least of several parts' least
    are the least of all, so parts merge in any order and grouping.
    """

    rows: tuple[tuple[int, Any, Any], ...] = ()  # (hash, production's answer, the shadow's), sorted
    total: int = 0  # pairs that were drawn from

    def __add__(self, other: Predictions) -> Predictions:
        """Return the sample of both."""
        return Predictions.of((*self.rows, *other.rows), total=self.total + other.total)

    @classmethod
    def of(cls, rows: Sequence[tuple[int, Any, Any]], *, total: int) -> Self:
        """Return the sample of these pairs."""
        return cls(rows=tuple(heapq.nsmallest(MOST, rows, key=lambda row: (row[0], repr(row)))), total=total)

    def columns(self) -> dict[str, list[float | str | None]]:
        """Return the sample as columns of equal length: "production" and "shadow", and each element of vectors.

        An answer of several numbers is one row: its first number stands in the variant's column, all of them in
        "<variant>_0", "<variant>_1" and so on. What was not answered is None.
        """
        found: dict[str, list[float | str | None]] = {}
        for place, variant in ((1, "production"), (2, "shadow")):
            answers = [row[place] for row in self.rows]
            width = max((len(a) for a in answers if isinstance(a, list | tuple)), default=0)
            found[variant] = [_element(answer, 0) for answer in answers]
            for i in range(width if width > 1 else 0):
                found[f"{variant}_{i}"] = [_element(answer, i) for answer in answers]
        return found

    def to_document(self) -> dict[str, Any]:
        """Return a JSON-safe form that `from_document` reads back; hashes are texts, they outgrow JSON's numbers."""
        return {"total": self.total, "rows": [[str(h), p, s] for h, p, s in self.rows]}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_document` wrote."""
        return cls(
            total=document["total"],
            rows=tuple((int(h), _frozen(p), _frozen(s)) for h, p, s in document["rows"]),
        )


def _element(answer: Any, index: int) -> float | str | None:
    if isinstance(answer, list | tuple):
        return answer[index] if index < len(answer) else None
    return answer if index == 0 else None


def _frozen(answer: Any) -> Any:
    return tuple(answer) if isinstance(answer, list) else answer
