"""Pairs that were held against a margin, as columns: one look takes the slowest of every period at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Self

import numpy as np
from numpy.typing import NDArray

from include.rollout.pace import BINS, BOUNDS, Pace

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignTable:
    """The signs of a window, summed up level by level: by period, and in each from the highest level down.

    `upto` holds the pairs by bin before each level, shape (levels of all periods + 1, BINS), `first` the number of each
    period's first level, and behind them that of all levels, shape (periods + 1,).
    """

    upto: Counts
    first: NDArray[np.intp]

    @classmethod
    def of(cls, pace: Pace, starts: Sequence[datetime]) -> Self:
        """Lay a pace out over the periods that begin at `starts`; what lies outside them is left out."""
        rows = {int(start.timestamp()): row for row, start in enumerate(starts)}
        row: list[int] = []
        level: list[int] = []
        counts: list[tuple[int, ...]] = []
        for start, levels in pace.periods.items():
            at = rows.get(start)
            if at is not None:
                row += [at] * len(levels)
                level += levels
                counts += [signs.counts for signs in levels.values()]
        order = np.lexsort((np.negative(np.array(level, dtype=np.int64)), np.array(row, dtype=np.intp)))
        upto = np.zeros((len(counts) + 1, BINS), dtype=np.int64)
        # half the time of an array made of the tuples
        flat = np.fromiter(chain.from_iterable(counts), dtype=np.int64, count=BINS * len(counts))
        np.cumsum(flat.reshape(-1, BINS)[order], axis=0, out=upto[1:])
        held = np.bincount(np.array(row, dtype=np.intp), minlength=len(starts))
        return cls(upto=upto, first=np.concatenate(([0], np.cumsum(held))))

    def slowest(self, share: float) -> Counts:
        """Return the signs of each period's slowest `share`, shape (periods, BINS): of its fewest highest levels that hold it."""
        n = self.upto.sum(axis=1)
        first, end = self.first[:-1], self.first[1:]
        wanted = n[first] + share * (n[end] - n[first])
        last = np.maximum(np.searchsorted(n, wanted), first)
        return np.asarray(self.upto[last] - self.upto[first], dtype=np.int64)


def slower(signs: Counts) -> Floats:
    """Return in how many pairs of each period the shadow was slower than the margin allows; shape (periods, BINS) in."""
    return np.asarray(signs[:, BINS // 2 :].sum(axis=1), dtype=np.float64)


def spread(signs: Counts) -> Floats:
    """Return the distance between the quartiles of each period's log ratios, 0 of no pairs; shape (periods, BINS) in.

    Pairs are spread evenly in a bin.
    """
    # the upper quartile is the lower one of the reversed counts, negated
    return np.where(signs.any(axis=1), -_quartile(signs) - _quartile(signs[:, ::-1]), 0.0)


def _quartile(signs: Counts) -> Floats:
    wanted = signs.sum(axis=1) / 4
    seen = np.cumsum(signs, axis=1)
    bin = np.argmax(seen >= wanted[:, None], axis=1)  # has pairs wherever the period has any
    rows = np.arange(len(signs))
    count = np.maximum(signs[rows, bin], 1)
    into = (wanted - (seen[rows, bin] - signs[rows, bin])) / count
    low, width = np.array(BOUNDS[:-1]), np.diff(BOUNDS)
    return np.asarray(low[bin] + width[bin] * into, dtype=np.float64)
