"""What every part of a spec is: values that never change, and no field that nobody knows."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from include.rollout.pattern import INSTANCE_TYPE, NAME

Name = Annotated[str, Field(pattern=NAME)]  # of a resource in SageMaker
InstanceType = Annotated[str, Field(pattern=INSTANCE_TYPE)]


class Section(BaseModel):
    """A part of a spec; an unknown field is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")
