"""Outcomes as the engine writes them down, folded into an account many at a time."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from include.replay.account import Account, FailureKind, Period
from include.replay.histogram import Histogram

KINDS = tuple(FailureKind)
ANSWERED = len(KINDS)
SHED = len(KINDS) + 1
# By outcome: has it a latency?
_TIMED = np.array(
    [kind not in {FailureKind.CONNECTION, FailureKind.ABANDONED} for kind in KINDS] + [True, False]
)

_FORMAT = struct.Struct("<q3d2h4x")
row: Callable[[int, float, float, float, int, int], bytes] = _FORMAT.pack
"""Write (index, scheduled, sent, ended, status, outcome) down; times in seconds of the monotonic clock."""

ROW = np.dtype(
    {
        "names": ["index", "scheduled", "sent", "ended", "status", "outcome"],
        "formats": ["<i8", "<f8", "<f8", "<f8", "<i2", "<i2"],
        "itemsize": _FORMAT.size,
    }
)
"""What `row` writes, as numpy reads it; `outcome` counts FailureKind's members, then answered, then shed."""


class Tally:
    """Collects rows and folds them into an account many at a time: 0.2 µs to write one, 0.1 µs to fold it.

    `epoch` is what must be added to the rows' times to read them as epoch seconds, `start` the
    scheduled time at which counting begins: earlier rows are warm-up. `records` hears every counted
    row, once, as an array of ROW with times in epoch seconds.
    """

    def __init__(
        self,
        *,
        start: float,
        epoch: float,
        period: int,
        records: Callable[[NDArray[np.void]], None] | None = None,
    ) -> None:
        self._start = start
        self._epoch = epoch
        self._records = records
        self._rows: list[bytes] = []
        self.add = self._rows.append
        self.spared = 0  # requests that were left out
        self._account = Account(period=period)

    def fold(self) -> Account:
        """Count every row that was written since the last fold; return the account so far."""
        if self._rows:
            table = np.frombuffer(bytearray().join(self._rows), dtype=ROW)
            self._rows.clear()
            counted = table[table["scheduled"] >= self._start]
            early = len(table) - len(counted)
            for name in ("scheduled", "sent", "ended"):
                counted[name] += self._epoch
            if early:
                self._account = replace(self._account, warm_up=self._account.warm_up + early)
            if len(counted):
                self._account += account_of(counted, period=self._account.period)
                if self._records is not None:
                    self._records(counted)
        if self.spared:
            self._account = replace(self._account, spared=self._account.spared + self.spared)
            self.spared = 0
        return self._account


def account_of(table: NDArray[np.void], *, period: int) -> Account:
    """Return the account of at least one ROW, its times in epoch seconds."""
    scheduled, sent, ended = (np.ascontiguousarray(table[name]) for name in ("scheduled", "sent", "ended"))
    outcome = table["outcome"].astype(np.int64)
    counts = np.bincount(outcome, minlength=SHED + 1)
    timed = _TIMED[outcome]
    left = outcome != SHED
    statuses = np.bincount(table["status"])
    return Account(
        scheduled=len(table),
        answered=int(counts[ANSWERED]),
        failed={kind: int(count) for kind, count in zip(KINDS, counts, strict=False) if count},
        shed=int(counts[SHED]),
        started=float(scheduled.min()),
        ended=float(ended.max()),
        latency=Histogram.of((ended - scheduled)[timed]),
        service=Histogram.of((ended - sent)[timed]),
        lateness=Histogram.of((sent - scheduled)[left]),
        statuses={code: int(statuses[code]) for code in np.flatnonzero(statuses).tolist() if code},
        period=period,
        periods=_periods(scheduled, outcome, period),
    )


def _periods(at: NDArray[np.float64], outcome: NDArray[np.int64], period: int) -> dict[int, Period]:
    number = (at // period).astype(np.int64)
    first = int(number.min())
    width = SHED + 1
    table = np.bincount((number - first) * width + outcome)
    table = np.pad(table, (0, -len(table) % width)).reshape(-1, width)
    periods: dict[int, Period] = {}
    for offset, row in enumerate(table.tolist()):
        scheduled = sum(row)
        if scheduled:
            periods[(first + offset) * period] = Period(
                scheduled=scheduled,
                answered=row[ANSWERED],
                shed=row[SHED],
                failed=scheduled - row[ANSWERED] - row[SHED],
            )
    return periods
