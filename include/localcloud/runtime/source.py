"""Scripts that a container's environment names by their URL in S3: fetched before its instances start."""

import hashlib
import os
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from include.localcloud.runtime.plan import FleetPlan, StartupError, VariantPlan

_VARIABLE = "SAGEMAKER_SUBMIT_DIRECTORY"


class ObjectReader(Protocol):
    """Where the scripts are."""

    async def get(self, bucket: str, key: str) -> bytes:
        """Return an object's bytes; raise when it is not there."""
        ...


class Sources:
    """Local copies of script archives, one for each content."""

    def __init__(self, objects: ObjectReader, folder: Path) -> None:
        self._objects, self._folder = objects, folder

    async def placed(self, plan: FleetPlan) -> FleetPlan:
        """Return the plan with every variant's scripts on disk; raise StartupError naming what is not there."""
        return replace(plan, variants=tuple([await self._placed(variant) for variant in plan.variants]))

    async def _placed(self, variant: VariantPlan) -> VariantPlan:
        url = variant.environment.get(_VARIABLE, "")
        if not url.startswith("s3://"):
            return variant
        bucket, _, key = url.removeprefix("s3://").partition("/")
        try:
            body = await self._objects.get(bucket, key)
        except Exception as error:
            raise StartupError(
                f"variant {variant.name} has no scripts at {url} ({_VARIABLE}): {error}"
            ) from error
        file = self._folder / f"{hashlib.sha256(body).hexdigest()[:32]}.tar.gz"
        if not file.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            partial = file.with_name(f"{file.name}.{uuid.uuid4().hex}")
            partial.write_bytes(body)
            os.replace(partial, file)
        return replace(variant, source=file)
