"""Rollouts as values to look at: for the console and the command line, which never write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from include.ledger.objects import Kind, Ledger, content
from include.ledger.store import Store
from include.rollout.errors import LedgerError
from include.rollout.names import moment

_LAST_SECOND = 9_999_999_999  # of the index's ten digits: the year 2286
_NEWEST = 50

Document = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the list: what was said when the rollout opened, and its outcome once it has one."""

    rollout_id: str
    opened: datetime
    about: Document
    outcome: Document | None
    cursor: str


@dataclass(frozen=True, kw_only=True)
class Record:
    """All of one rollout that has been written so far, by key; read-only."""

    rollout_id: str
    objects: Mapping[str, Document]

    def get(self, key: str) -> Document | None:
        """Return one object, or None if it was not written (yet)."""
        return self.objects.get(key)

    def all(self, kind: Kind) -> dict[str, Document]:
        """Return every object of a kind by its tail (`tick/<end>` by `<end>`), in the order of the keys."""
        head = f"{kind}/"
        return {key.removeprefix(head): value for key, value in self.objects.items() if key.startswith(head)}

    @property
    def opened(self) -> datetime | None:
        """When the rollout was opened."""
        document = self.get(Kind.OPEN)
        return None if document is None else moment(document["written_at"])

    @property
    def ticks(self) -> tuple[Document, ...]:
        """The looks so far, in the order of their periods."""
        return tuple(self.all(Kind.TICK).values())

    @property
    def is_over(self) -> bool:
        """Whether the rollout reached one of its terminal states."""
        return self.get(Kind.OUTCOME) is not None


class Reader:
    """Reads rollouts of one store; the newest first."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def newest(self, limit: int = _NEWEST, *, after: str = "") -> list[Entry]:
        """List rollouts, the latest opened first; `after` is the cursor of the last one already seen."""
        keys = self._store.keys("index", limit=limit, after=after)
        stored = self._store.get_many(keys)
        ids = [key.rpartition("-")[2] for key in keys]
        outcomes = self._store.get_many([f"rollouts/{name}/{Kind.OUTCOME}" for name in ids])
        return [
            Entry(
                rollout_id=name,
                opened=moment(document["written_at"]),
                about=MappingProxyType(content(document)),
                outcome=None if outcome is None else MappingProxyType(outcome),
                cursor=key,
            )
            for key, name, document, outcome in zip(keys, ids, stored, outcomes, strict=True)
            if document is not None
        ]

    def rollout(self, rollout_id: str) -> Record | None:
        """Read one rollout, or None if nothing of it was ever written."""
        ledger = Ledger(self._store, rollout_id)
        written = ledger.keys()
        if not written:
            return None
        found = ledger.read_many(key for key in written if key != Kind.REPORT_PAGE)
        objects = {key: MappingProxyType(document) for key, document in found.items()}
        return Record(rollout_id=rollout_id, objects=MappingProxyType(objects))

    def object(self, rollout_id: str, key: str) -> Document | None:
        """Read one object of a rollout, or None if it was not written (yet)."""
        return Ledger(self._store, rollout_id).read(key)

    def report_page(self, rollout_id: str) -> bytes | None:
        """Read the report as it was written, or None."""
        return Ledger(self._store, rollout_id).read_page()


def enrol(ledger: Ledger, about: Mapping[str, Any], *, at: datetime) -> dict[str, Any]:
    """Open a rollout's record and put it on the list, once, at the time of the first to do so.

    A second call, also one after a kill between the two writes, finds the first one's and completes it.
    """
    if at.tzinfo is None:
        raise LedgerError(f"The rollout {ledger.rollout_id} opens at {at} without a zone; give one.")
    opened = ledger.write(Kind.OPEN, about, at=at)
    second = _LAST_SECOND - int(moment(opened["written_at"]).timestamp())
    ledger.store.put_once(f"index/{second:010d}-{ledger.rollout_id}", opened)
    return opened
