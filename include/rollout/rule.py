"""What every gate has: how far it binds, which error it may make, and a name."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from include.rollout.section import Section


class Severity(StrEnum):
    """How far a gate binds: critical findings decide, the others are shown."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Rule(Section):
    """The part that all kinds of gates share."""

    severity: Severity = Field(
        default=Severity.CRITICAL, description="critical decides; warning and info are shown"
    )
    alpha: float = Field(
        default=0.05,
        gt=0,
        le=0.2,
        description="one-sided error of a pass at the limit, over both readings together",
    )

    @property
    def name(self) -> str:
        """Name the gate within its rollout; unique for what it measures."""
        return str(getattr(self, "kind"))  # noqa: B009 - every kind of gate has a kind
