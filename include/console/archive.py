"""The ledger as the console reads it: what was read once is kept, for nothing that was written ever changes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType

from include.ledger.objects import Kind, Ledger
from include.ledger.reader import Document, Entry, Reader, Record
from include.ledger.store import Store

_KEPT = 64  # rollouts in memory; one whose window takes a week has some ten megabytes
_FRESH = 1.0  # seconds for which a running rollout's list of objects counts: many viewers, one look
# Not on any page: the validation result is large, and the report repeats what the page is made from.
_LEFT_OUT = frozenset({Kind.METRICS, Kind.VALIDATION, Kind.REPORT, Kind.REPORT_PAGE})


@dataclass
class _Shelf:
    """One rollout's objects as far as they were read."""

    objects: dict[str, Document] = field(default_factory=dict)
    complete: bool = False  # nothing more will be written
    listed: float | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class Archive:
    """Reads rollouts from many threads at once; blocking. `clock` counts seconds, from anywhere."""

    def __init__(self, store: Store, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._shelves: OrderedDict[str, _Shelf] = OrderedDict()
        self._lock = threading.Lock()

    def rollout(self, rollout_id: str) -> Record | None:
        """Read what was written of a rollout that was not read before; None if nothing of it was ever written."""
        shelf = self._shelf(rollout_id)
        with shelf.lock:
            now = self._clock()
            if not shelf.complete and (shelf.listed is None or now - shelf.listed >= _FRESH):
                self._refresh(Ledger(self._store, rollout_id), shelf)
                shelf.listed = now
            found = dict(sorted(shelf.objects.items()))
        return Record(rollout_id=rollout_id, objects=MappingProxyType(found)) if found else None

    def newest(self, limit: int, *, after: str = "") -> list[tuple[Entry, Record | None]]:
        """List rollouts, the latest opened first, each with what a line of the list needs of its record."""
        entries = Reader(self._store).newest(limit, after=after)
        return [
            (
                entry,
                self.rollout(entry.rollout_id) if entry.outcome is None else self._outline(entry.rollout_id),
            )
            for entry in entries
        ]

    def report(self, rollout_id: str) -> bytes | None:
        """Read the report as it was kept, or None."""
        return Reader(self._store).report_page(rollout_id)

    def _outline(self, rollout_id: str) -> Record | None:
        """Return a finished rollout's record with at least its spec, which names the endpoint."""
        shelf = self._shelf(rollout_id)
        with shelf.lock:
            if Kind.SPEC not in shelf.objects and not shelf.complete:
                found = Ledger(self._store, rollout_id).read_many([Kind.SPEC])
                shelf.objects.update((str(key), MappingProxyType(value)) for key, value in found.items())
            return Record(rollout_id=rollout_id, objects=MappingProxyType(dict(shelf.objects)))

    def _refresh(self, ledger: Ledger, shelf: _Shelf) -> None:
        written = [
            key
            for key in ledger.keys("")
            if key.partition("/")[0] not in _LEFT_OUT or key == Kind.REPORT_PAGE
        ]
        missing = [key for key in written if key not in shelf.objects and key != Kind.REPORT_PAGE]
        for key, document in ledger.read_many(missing).items():
            shelf.objects[str(key)] = MappingProxyType(document)
        shelf.complete = Kind.REPORT_PAGE in written  # the last thing that a rollout writes

    def _shelf(self, rollout_id: str) -> _Shelf:
        with self._lock:
            shelf = self._shelves.setdefault(rollout_id, _Shelf())
            self._shelves.move_to_end(rollout_id)
            while len(self._shelves) > _KEPT:
                self._shelves.popitem(last=False)
            return shelf
