"""What became of requests one by one: of all of them, or of a sample."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

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

    Whether a request is in the sample depends on its index alone, and copies of a request are in it together. A kill loses the
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
        packed(np.zeros(0, ROW), prefix)  # what this loads takes time that no request should wait for
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
    """Return rows of `tally.ROW` as a Parquet file, which DuckDB, pandas and others read as it is.

    `index`; `scheduled`, `sent` and `ended` in epoch seconds; `status`, 0 where there was no HTTP
    answer; `outcome`: answered, shed or the kind of failure; `prefix`, which together with the index is the
    request's InferenceId. 100,000 rows take 20 ms of CPU and 0.8 MB.
    """
    import pyarrow
    from pyarrow import parquet

    # From buffers: to be asked for arrays, pyarrow would load pandas first and see whether it was given any.
    def column(kind: Any, values: NDArray[Any]) -> Any:
        held = pyarrow.py_buffer(np.ascontiguousarray(values))
        return pyarrow.Array.from_buffers(kind, len(values), [None, held])

    def words(of: Sequence[str], values: NDArray[Any]) -> Any:
        spelt = [word.encode() for word in of]
        ends = np.cumsum([0, *map(len, spelt)], dtype=np.int32)
        texts = pyarrow.StringArray.from_buffers(
            len(spelt), pyarrow.py_buffer(ends), pyarrow.py_buffer(b"".join(spelt))
        )
        return pyarrow.DictionaryArray.from_arrays(column(pyarrow.int16(), values), texts)

    columns = {
        "index": column(pyarrow.int64(), rows["index"]),
        **{name: column(pyarrow.float64(), rows[name]) for name in ("scheduled", "sent", "ended")},
        "status": column(pyarrow.int16(), rows["status"]),
        "outcome": words(OUTCOMES, rows["outcome"]),
        "prefix": words([prefix], np.zeros(len(rows), np.int16)),
    }
    table = pyarrow.Table.from_arrays([*columns.values()], names=[*columns])
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(table, sink, compression="zstd", use_dictionary=["status", "outcome", "prefix"])
    return bytes(sink.getvalue())
