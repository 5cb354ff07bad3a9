"""What a spec says of the people who are told how a rollout went."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from include.rollout.pattern import TOPIC
from include.rollout.section import Section


class NotifySection(Section):
    """Who hears when a person is asked, and how the rollout ended."""

    topic: Annotated[str, Field(pattern=TOPIC)] = Field(
        description="ARN of an SNS topic; the connection's role must be allowed to publish to it",
        examples=["arn:aws:sns:eu-west-1:123456789012:rollouts"],
    )
