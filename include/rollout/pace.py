"""How much longer the shadow takes than production for the same request, counted against a margin."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

STEP = math.log(1.25)
"""Width of a level: pairs are told apart by the geometric mean of both times, on the log scale."""
EDGES = (0.01, 0.03, 0.1, 0.3)
"""Where the bins of a pair's distance from the margin end, on the log scale; wider farther away, as jitter is."""
BOUNDS = (*(-edge for edge in (0.9, *reversed(EDGES))), 0.0, *EDGES, 0.9)
"""Where every bin begins and the last one ends; the outermost bins have no end, this one stands for it."""
BINS = len(BOUNDS) - 1


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
