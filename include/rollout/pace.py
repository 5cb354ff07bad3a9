"""How much longer the shadow takes than production for the same request, counted against a margin."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Self

STEP = math.log(1.25)
"""Width of a level: pairs are told apart by the geometric mean of both times, on the log scale."""
EDGES = (0.01, 0.03, 0.1, 0.3)
"""Where the bins of a pair's distance from the margin end, on the log scale; wider farther away, as jitter is."""
_BOUNDS = (*(-edge for edge in (0.9, *reversed(EDGES))), 0.0, *EDGES, 0.9)  # the outermost bins have no end
BINS = len(_BOUNDS) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """Pairs held against a margin, by log ratio - log(1 + margin): born valid, a count of at least 0 for each bin.

    The first half of the bins holds the pairs within the margin, the farthest first; the other half those in which the
    shadow took more than (1 + margin) times production's time, the farthest last.
    """

    counts: tuple[int, ...] = (0,) * BINS

    def __post_init__(self) -> None:
        if len(self.counts) != BINS or min(self.counts) < 0:
            raise ValueError(f"signs are {self.counts}; they are {BINS} counts of at least 0")

    def __add__(self, other: Signs) -> Signs:
        """Return the signs of both."""
        return Signs(counts=tuple(a + b for a, b in zip(self.counts, other.counts, strict=True)))

    @property
    def n(self) -> int:
        """Return how many pairs there are."""
        return sum(self.counts)

    @property
    def slower(self) -> int:
        """Return in how many pairs the shadow was slower than the margin allows."""
        return sum(self.counts[BINS // 2 :])

    @property
    def spread(self) -> float:
        """Return the distance between the quartiles of the log ratios, pairs spread evenly in a bin; 0 of no pairs."""
        return -_quartile(self.counts) - _quartile(self.counts[::-1]) if self.n else 0.0


def _quartile(counts: tuple[int, ...]) -> float:
    """Return the lower quartile of at least one pair; the upper one is that of the reversed counts, negated."""
    wanted, seen = sum(counts) / 4, 0
    for (low, high), count in zip(pairwise(_BOUNDS), counts, strict=True):
        if count and seen + count >= wanted:
            return low + (high - low) * (wanted - seen) / count
        seen += count
    return _BOUNDS[-1]


def bin_of(excess: float) -> int:
    """Return the bin of a pair's log ratio - log(1 + margin); at 0 it is within the margin."""
    beyond = sum(abs(excess) > edge for edge in EDGES)
    return BINS // 2 + beyond if excess > 0 else BINS // 2 - 1 - beyond


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The pairs of every period against one margin, by their level: whole numbers that merge in any order.

    `periods` maps a period's start (epoch seconds) to level -> signs. The level of a pair does not change when a shadow
    that is exactly the margin slower is exchanged with production, so pairs that are chosen by it alone are slower than
    the margin as often as not, but for chance.
    """

    periods: Mapping[int, Mapping[int, Signs]] = field(default_factory=dict)

    def __add__(self, other: Pace) -> Pace:
        """Return the pace of both."""
        periods = {start: dict(levels) for start, levels in self.periods.items()}
        for start, levels in other.periods.items():
            mine = periods.setdefault(start, {})
            for level, signs in levels.items():
                mine[level] = mine.get(level, Signs()) + signs
        return Pace(periods=periods)

    def slowest(self, start: int, share: float) -> Signs:
        """Return the signs of the slowest `share` of a period's pairs: of its highest levels, as few as hold so many."""
        levels = self.periods.get(start, {})
        wanted = share * sum(signs.n for signs in levels.values())
        found: list[tuple[int, ...]] = []
        seen = 0
        for level in sorted(levels, reverse=True):
            if seen >= wanted:
                break
            found.append(levels[level].counts)
            seen += levels[level].n
        return Signs(counts=tuple(map(sum, zip(*found, strict=True)))) if found else Signs()

    def to_document(self) -> dict[str, Any]:
        """Return a JSON-safe form that `from_document` reads back."""
        return {
            str(start): {str(level): list(signs.counts) for level, signs in sorted(levels.items())}
            for start, levels in sorted(self.periods.items())
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_document` wrote."""
        return cls(
            periods={
                int(start): {
                    int(level): Signs(counts=tuple(int(n) for n in counts))
                    for level, counts in levels.items()
                }
                for start, levels in document.items()
            }
        )
