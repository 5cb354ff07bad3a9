"""What a spec says of recurring refreshes: when the next candidate is looked for, and where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from include.rollout.section import Name, Section


class RefreshSection(Section):
    """When a recurring refresh looks for the next candidate, and where. Exactly one source is named."""

    schedule: str = Field(
        pattern=r"^(@(hourly|daily|weekly|monthly|quarterly|yearly)|[\dA-Za-z*/,#?-]+( +[\dA-Za-z*/,#?-]+){4})$",
        description="five cron fields, in UTC, or @hourly, @daily, @weekly, @monthly, @quarterly, @yearly",
        examples=["@daily", "30 4 * * 1-5"],
    )
    package_group: Name | None = Field(
        default=None, description="candidates are the versions of this model package group, the newest first"
    )
    approval: Literal["Approved", "PendingManualApproval"] = Field(
        default="Approved", description="of package_group: the approval status that a candidate must have"
    )
    metadata: Mapping[str, str] = Field(
        default_factory=dict, description="of package_group: customer metadata that a candidate must carry"
    )
    artifacts: str | None = Field(
        default=None,
        description="candidates are the *.tar.gz below this s3:// prefix or in this folder, the newest first",
    )
    retry: bool = Field(
        default=False,
        description="try a candidate again whose rollout ended without a judgement: refused, crashed or inconclusive",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.package_group is None) == (self.artifacts is None):
            raise ValueError("it names both or none of package_group and artifacts; it must name exactly one")
        return self
