"""Which candidates an endpoint was ever tried with: an index that is asked by candidate and never scanned."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from include.ledger.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a candidate is, whoever names it: a package's ARN, or an artefact's place and the version of its content."""

    reference: str
    version: str = ""  # empty for what never changes, such as a model package version


class Tried:
    """The candidates of one endpoint, each with the rollouts that tried it, under `candidates/`."""

    def __init__(self, store: Store, *, account: str, region: str, endpoint: str) -> None:
        self._store = store
        self._place = f"{account}/{region}/{endpoint}"

    def digest(self, candidate: Identity) -> str:
        """Return 16 hex digits that name this candidate on this endpoint, the same always and everywhere."""
        text = f"{self._place}\n{candidate.reference}\n{candidate.version}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def enter(self, candidate: Identity, rollout: str, *, at: datetime) -> None:
        """Record that a rollout tries the candidate, once, however often it is said."""
        document = {"reference": candidate.reference, "version": candidate.version, "rollout": rollout}
        self._store.put_once(f"{self._folder(candidate)}/{rollout}", {**document, "written_at": at})

    def rollouts(self, candidate: Identity) -> tuple[str, ...]:
        """Return the rollouts that tried the candidate; one listing, however many rollouts the ledger holds."""
        return tuple(key.rpartition("/")[2] for key in self._store.keys(self._folder(candidate)))

    def _folder(self, candidate: Identity) -> str:
        return f"candidates/{self._place}/{self.digest(candidate)}"
