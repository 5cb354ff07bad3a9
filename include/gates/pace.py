"""Latency request by request, where containers report their own time: evidence beside that of the metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from include.gates.agreement import problems_of
from include.gates.calibration import share_of
from include.gates.signs import slower, spread
from include.gates.table import Floats, Table
from include.gates.wording import count, percent, times
from include.rollout.gate import LatencyGate
from include.stats.calibration import Noise
from include.stats.paired import sign_hazard, slower_log_e

# Weight beside the metrics' evidence: pairs see a tail within minutes even so, and where they show nothing the rest
# loses a third of a nat.
WEIGHT = 0.25
# A percentile is held against this many times the requests beyond it: of a p99 the slowest twentieth, so that a few
# slow calls of either variant do not outnumber the requests that are slow themselves.
BEYOND = 5.0
# Of the window's requests, the share that may lack its pair or its times: the slow ones may be those.
MOST_UNPAIRED = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class PacedPairs:
    """The pairs that a latency gate is held against: those of the slowest `share` of every period."""

    share: float
    margin: float
    n: Floats  # per period
    slower: Floats
    spread: Floats  # between the quartiles of their log ratios
    repetition: float
    problems: tuple[str, ...]

    def log_e(self, noise: Noise) -> Floats:
        """Return the log e-process after each period; pairs that cannot be trusted are no evidence (0)."""
        if self.problems:
            return np.zeros(self.n.shape)
        # From the period's own pairs, and the same if all signs were exchanged: it cannot favour either.
        phi = self.repetition * noise.design_effect(
            exceedances=self.n, shadow_share=0.5, log_hazard=sign_hazard(self.spread)
        )
        return slower_log_e(self.slower, self.n, phi=phi)

    @property
    def words(self) -> str:
        """Say what the containers' own times show."""
        which = "" if self.share == 1 else f", the slowest {percent(self.share)} of each period"
        return (
            f"by the containers' own times the shadow took more than {times(1 + self.margin)} production's in "
            f"{count(self.slower.sum())} of {count(self.n.sum())} pairs{which}"
        )

    @property
    def details(self) -> dict[str, Any]:
        """Return the numbers for a finding's details."""
        return {
            "share": self.share,
            "pairs": int(self.n.sum()),
            "slower": int(self.slower.sum()),
            "unused_because": list(self.problems),
        }


def paced(gate: LatencyGate, table: Table) -> PacedPairs | None:
    """Return the pairs that the gate is held against, or None where no times were held against its margin."""
    pairs = table.pairs
    pace = table.paces.get(gate.margin)
    if pairs is None or pace is None:
        return None
    share = min(1.0, BEYOND * (1 - share_of(gate.quantile)))
    signs = pace.slowest(share)
    problems = problems_of(pairs, table, MOST_UNPAIRED)
    if pairs.latency.n < (1 - MOST_UNPAIRED) * pairs.production.matched:
        problems.append(
            f"{count(pairs.latency.n)} of {count(pairs.production.matched)} pairs have both containers' times"
        )
    return PacedPairs(
        share=share,
        margin=gate.margin,
        n=signs.sum(axis=1).astype(np.float64),
        slower=slower(signs),
        spread=spread(signs),
        repetition=pairs.repetition,
        problems=tuple(problems),
    )
