"""JSON answers, compared field by field."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from include.rollout.comparison import PairsSection


class Documents:
    """Says whether two JSON documents agree within the tolerances of the terms, ignored fields left out."""

    def __init__(self, terms: PairsSection) -> None:
        self._absolute, self._relative = terms.absolute, terms.relative
        ignored = [*terms.ignore, *([terms.latency] if isinstance(terms.latency, str) else [])]
        self._ignored = re.compile("|".join(map(_pattern, ignored))) if ignored else None

    def compare(self, production: str, shadow: str) -> list[float]:
        """Return [1 if they agree else 0, the largest difference of two numbers at the same place].

        Two numbers agree within `absolute` + `relative` x production's; anything else must be equal, lists in length,
        objects in their fields. A number that is not finite agrees with nothing, its difference is NaN.
        """
        self._agree, self._largest = True, 0.0
        self._walk(json.loads(production), json.loads(shadow), "$")
        return [float(self._agree), self._largest]

    def _walk(self, production: Any, shadow: Any, path: str) -> None:
        if self._ignored is not None and self._ignored.fullmatch(path):
            return
        if isinstance(production, dict) and isinstance(shadow, dict):
            for key in production.keys() | shadow.keys():
                below = f"{path}.{key}"
                if key in production and key in shadow:
                    self._walk(production[key], shadow[key], below)
                elif self._ignored is None or not self._ignored.fullmatch(below):
                    self._agree = False
        elif isinstance(production, list) and isinstance(shadow, list):
            if len(production) != len(shadow):
                self._agree = False
            for index, (one, other) in enumerate(zip(production, shadow, strict=False)):
                self._walk(one, other, f"{path}[{index}]")
        elif _is_number(production) and _is_number(shadow):
            difference = float(shadow) - float(production)
            if not abs(difference) <= self._absolute + self._relative * abs(production):
                self._agree = False
            if not abs(difference) <= abs(self._largest):
                self._largest = difference if math.isfinite(difference) else math.nan
        elif type(production) is not type(shadow) or production != shadow:
            self._agree = False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _pattern(path: str) -> str:
    """Return the regular expression of a path in which [*] stands for any index and .* for any field."""
    return re.escape(path).replace(r"\[\*\]", r"\[\d+\]").replace(r"\.\*", r"\.[^.\[]+")
