"""The plan: what will change, which capacity it takes meanwhile, and whether the window can decide."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePlan:
    """What one gate can find in the window: how long it needs, and what it can detect."""

    gate: str
    needed: int | None  # seconds until an equal candidate passes with 80 % chance; None: no window is enough
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a rollout will do to an endpoint, and whether it can come to a verdict; `refusal` says why it may not run."""

    endpoint: str
    changes: tuple[str, ...]  # shadow config against the baseline's, in words
    promotion_changes: tuple[str, ...]
    instances: tuple[str, ...]  # capacity that is needed while the fleets overlap
    requests_per_second: float
    traffic: str
    window: int  # seconds
    maximum: int  # seconds
    gates: tuple[GatePlan, ...]
    refusal: str | None
    warnings: tuple[str, ...] = ()
    cost: str = ""

    def to_document(self) -> dict[str, Any]:
        """Return a JSON-safe form."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Say the plan in lines that a person reads."""
        lines = [f"plan for endpoint {self.endpoint}", "  with the shadow:"]
        lines += [f"    {change}" for change in self.changes]
        lines.append("  when promoted:")
        lines += [f"    {change}" for change in self.promotion_changes]
        lines.append("  capacity while fleets overlap:")
        lines += [f"    {instance}" for instance in self.instances]
        lines.append(f"  traffic: {self.traffic}")
        lines.append(f"  window: {self.window} s, at most {self.maximum} s after one extension")
        lines += [f"    {gate.gate}: {gate.sentence}" for gate in self.gates]
        if self.cost:
            lines.append(f"  cost: {self.cost}")
        lines += [f"  WARNING: {warning}" for warning in self.warnings]
        lines.append(f"  REFUSED: {self.refusal}" if self.refusal else "  this window can decide")
        return lines
