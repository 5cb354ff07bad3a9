"""What every part of a spec is: values that never change, and no field that nobody knows."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$")]  # of a resource in SageMaker
InstanceType = Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")]


class Section(BaseModel):
    """A part of a spec; an unknown field is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")
