"""What an instance costs: a list that lies beside this module."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

_LIST = Path(__file__).with_name("prices.json")


@cache
def _listed() -> dict[str, float]:
    found: dict[str, float] = json.loads(_LIST.read_text(encoding="utf-8"))["hourly"]
    return found


def hourly(instance_type: str) -> float | None:
    """Return USD per instance and hour, on demand in us-east-1, or None for a type that is not in the list."""
    return _listed().get(instance_type)
