"""A fleet: the instances that serve a variant, what their type offers, and what they cost."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

_TYPE = re.compile(r"^ml\.([a-z0-9-]+)\.(?:(\d*)xlarge|(large|medium))$")
_ODD_VCPUS = {"ml.c4.8xlarge": 36}  # the one type whose size is no multiple of xlarge's 4
# GPUs by family and size in xlarge; a family of G instances has one GPU in every size that is not named.
_GPUS: Mapping[str, Mapping[int, int]] = {
    "g4dn": {12: 4},
    "g5": {12: 4, 24: 4, 48: 8},
    "g6": {12: 4, 24: 4, 48: 8},
    "g6e": {12: 4, 24: 4, 48: 8},
    "p2": {1: 1, 8: 8, 16: 16},
    "p3": {2: 1, 8: 4, 16: 8},
    "p3dn": {24: 8},
    "p4d": {24: 8},
    "p4de": {24: 8},
    "p5": {4: 1, 48: 8},
    "p5e": {48: 8},
    "p5en": {48: 8},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """So many instances of one type; born valid: at least one, and a price is a finite number of at least 0."""

    instance_type: str
    count: int
    usd_per_hour: float | None = None  # of one instance; None: not known

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"a fleet of {self.count} instances; there must be one at least")
        if self.usd_per_hour is not None and not 0 <= self.usd_per_hour < math.inf:
            raise ValueError(f"a price of {self.usd_per_hour} USD; it must be finite and at least 0")

    @property
    def price(self) -> float | None:
        """Return USD per hour of all instances; None where the price of their type is not known."""
        return None if self.usd_per_hour is None else self.usd_per_hour * self.count

    @property
    def vcpus(self) -> int | None:
        """Return one instance's vCPUs: 4 for each xlarge, 2 for large, as EC2 names its types; None for another name."""
        found = _TYPE.match(self.instance_type)
        if found is None:
            return None
        family, _, small = found.groups()
        if small is not None:
            return 1 if small == "medium" and not family.startswith("t") else 2
        return _ODD_VCPUS.get(self.instance_type, 4 * _size(found))

    @property
    def gpus(self) -> int | None:
        """Return one instance's GPUs as EC2's type tables have them; None for a type that is not known to have any."""
        found = _TYPE.match(self.instance_type)
        sizes = None if found is None or found[3] is not None else _GPUS.get(found[1])
        if found is None or sizes is None:
            return None
        return sizes.get(_size(found), 1 if found[1].startswith("g") else None)

    def to_document(self) -> dict[str, Any]:
        """Return a JSON-safe form, the arguments that make it again."""
        return asdict(self)


def _size(found: re.Match[str]) -> int:
    return int(found[2] or 1)
