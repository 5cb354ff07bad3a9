"""What a spec says of money: how much the shadow may cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from include.rollout.section import Section

_Price = Annotated[float, Field(gt=0)]


class BudgetSection(Section):
    """How much the shadow's instances may cost; production's run anyway."""

    limit: float = Field(gt=0, description="USD; when the shadow has cost so much, the window closes")
    prices: Mapping[str, _Price] = Field(
        default_factory=dict,
        description="USD per hour of an instance type, where the list of Penumbra has none or another",
        examples=[{"ml.m5.large": 0.115}],
    )
