"""What A/A rollouts taught about an endpoint's noise, where later rollouts of the same endpoint find it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from include.ledger.store import Store
from include.rollout.names import timestamp


class Calibrations:
    """The calibrations of one endpoint, under `calibrations/`, named so that they sort by time."""

    def __init__(self, store: Store, *, account: str, region: str, endpoint: str) -> None:
        self._store = store
        self._folder = f"calibrations/{account}/{region}/{endpoint}"

    def add(self, rollout: str, calibration: Mapping[str, Any], *, at: datetime) -> None:
        """Keep what a rollout taught; said again with the same time, it is kept once."""
        key = f"{self._folder}/{timestamp(at)}-{rollout}"
        self._store.put_once(key, {"calibration": dict(calibration), "rollout": rollout, "written_at": at})

    def newest(self, count: int) -> list[dict[str, Any]]:
        """Return the last `count` calibrations, the oldest of them first."""
        keys = sorted(self._store.keys(self._folder))[-count:]
        return [dict(stored["calibration"]) for stored in self._store.get_many(keys) if stored is not None]
