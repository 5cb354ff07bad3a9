"""What became of requests one by one: of all of them, or of a sample."""

from __future__ import annotations

import io
import logging
import queue
import threading
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from include.replay.tally import KINDS, ROW
from include.rollout.errors import LedgerError

_LOG = logging.getLogger(__name__)
_EVERY = 10.0  # seconds after which what was gathered is written
_ROWS = 100_000  # records of one file at most, about 5 MB unpacked
_HELD = 10 * _ROWS  # records that wait for a store that does not answer; later ones are lost
OUTCOMES = (*(kind.value for kind in KINDS), "answered", "shed")  # by the outcome's number in a row
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: its multiples are spread evenly


class Records:
    """Keeps rows of outcomes, files of them at a time, in a thread of its own; to be closed at the end.

    Whether a request is in the
    sample depends on its index alone, and copies of a request are in it together. A kill loses the
    records of the last ten seconds; the account does not depend on them.
    """

    def __init__(
        self,
        write: Callable[[int, bytes], None],
        *,
        share: float,
        prefix: str,
        copies: int = 1,
    ) -> None:
        """Keep a `share` above 0 and at most 1 of the requests, whose InferenceId is `prefix` and their index.

        `write` stores the n-th file, from 0, and may raise LedgerError.
        """
        if not 0 < share <= 1:
            msg = f"the records of a share of {share} were asked for; it must be above 0 and at most 1"
            raise ValueError(msg)
        self._write, self._share, self._prefix, self._copies = write, share, prefix, copies
        self._ready: queue.SimpleQueue[NDArray[np.void] | None] = queue.SimpleQueue()
        self.kept = 0  # records that are stored
        self.lost = 0  # records that could not be
        self._files = 0
        self._thread = threading.Thread(target=self._keep, name="replay-records", daemon=True)
        self._thread.start()

    def __call__(self, table: NDArray[np.void]) -> None:
        """Take rows of `tally.ROW`; returns at once."""
        self._ready.put(table)

    def close(self) -> None:
        """Write what is left; afterwards `kept` and `lost` are final."""
        self._ready.put(None)
        self._thread.join()

    def _keep(self) -> None:
        held: list[NDArray[np.void]] = []
        due, over = time.monotonic() + _EVERY, False
        while not over:
            try:
                table = self._ready.get(timeout=max(0.0, due - time.monotonic()))
            except queue.Empty:
                pass
            else:
                over = table is None
                if table is not None and len(chosen := self._chosen(table)):
                    held.append(chosen)
            if over or time.monotonic() >= due or sum(map(len, held)) >= _ROWS:
                held = self._flushed(held, last=over)
                due = time.monotonic() + _EVERY

    def _chosen(self, table: NDArray[np.void]) -> NDArray[np.void]:
        if self._share == 1:
            return table
        groups = (table["index"] // self._copies).astype(np.uint64)
        limit = np.uint64(min(int(self._share * 2.0**64), 2**64 - 1))
        return table[groups * _GOLDEN < limit]

    def _flushed(self, held: list[NDArray[np.void]], *, last: bool) -> list[NDArray[np.void]]:
        """Store what is held; return what could not be and shall be tried again."""
        if not held:
            return held
        rows = np.concatenate(held)
        try:
            self._write(self._files, packed(rows, self._prefix))
        except LedgerError as error:
            _LOG.warning("The records of %d requests could not be stored: %s", len(rows), error)
            keep = 0 if last else _HELD
            self.lost += max(0, len(rows) - keep)
            return [rows[:keep]] if keep else []
        self._files += 1
        self.kept += len(rows)
        return []


def packed(rows: NDArray[np.void], prefix: str) -> bytes:
    """Return rows of `tally.ROW` as numpy's .npz, one array a column, which `numpy.load` reads.

    `index`; `scheduled`, `sent` and `ended` in epoch seconds; `status`, 0 where there was no HTTP
    answer; `outcome`, an index into `outcomes`: answered, shed and the kinds of failure. A request's
    InferenceId is `prefix` and its index.
    """
    sink = io.BytesIO()
    columns = {name: np.ascontiguousarray(rows[name]) for name in ROW.names or ()}
    np.savez_compressed(
        sink, allow_pickle=False, outcomes=np.array(OUTCOMES), prefix=np.array(prefix), **columns
    )
    return sink.getvalue()
