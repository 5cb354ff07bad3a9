"""The table of worlds and candidates, with the goals that verdicts on them are held to.

A window lasts an hour and may be extended by another. Equal variants are rolled back in at most one of a hundred,
everywhere: that binds over the rest, and so many are drawn that it is shown and not merely compatible with them. None
of 400 shows it, and so do three of 800, which is for the harsh worlds. What is promoted at the margin itself comes
next, power last.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.soak.world.endpoint import World
from tests.soak.world.goal import Goal
from tests.soak.world.trial import AGREEING, POLICY, Share, share

LENGTH = 60
RUNS = 200  # of one part
TWO_HOURS = World(periods=2 * LENGTH)
# The cold start of the first minutes is another slowdown; what is found without it is the plain one.
WARM = replace(TWO_HOURS, cold=0.0)
NEVER = Goal(most=0.0)
HARSH = {"jitter_sd": 0.10, "jitter_memory": 0.8}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A world with a candidate in it, as many parts of `RUNS` rollouts as it takes, and the goals."""

    name: str
    world: World
    seed: int
    goals: Mapping[str, Goal] = field(default_factory=dict)  # a field of Share -> its goal
    parts: int = 1
    calibrations: int = 0

    def part(self, number: int) -> Share:
        """Return what becomes of one part's rollouts; it depends on the cell's seed and the number alone."""
        return share(
            self.world,
            AGREEING if self.world.captured else POLICY,
            seed=self.seed + number,
            runs=RUNS,
            length=LENGTH,
            calibrations=self.calibrations,
        )


def _equal(
    name: str, *, parts: int = 2, calibrations: int = 0, promoted: Goal | None = None, **change: Any
) -> Cell:
    goals = {"rolled_back": Goal(most=0.01, shown=True)}
    if promoted:
        goals["finally_promoted"] = promoted
    return Cell(
        name=f"equal, {name}",
        world=replace(TWO_HOURS, **change),
        seed=3100,
        goals=goals,
        parts=parts,
        calibrations=calibrations,
    )


def _bad(
    name: str,
    *,
    found_by: float,
    found: float = 1.0,
    promoted: Goal = NEVER,
    parts: int = 1,
    **change: Any,
) -> Cell:
    goals = {
        "finally_promoted": promoted,
        "rolled_back": Goal(least=found),
        "median": Goal(most=found_by),
    }
    return Cell(name=name, world=replace(WARM, **change), seed=3400, goals=goals, parts=parts)


def _at_the_margin(name: str, *, parts: int, calibrations: int = 0, **change: Any) -> Cell:
    return Cell(
        name=f"at the margin, {name}",
        world=replace(WARM, ratio=1.10, **change),
        seed=3300,
        goals={"finally_promoted": Goal(most=0.05)},
        parts=parts,
        calibrations=calibrations,
    )


CELLS = (
    _equal("20 a second", promoted=Goal(least=0.95)),
    _equal("5 a second", rate=5.0),
    _equal("50 a second", rate=50.0, promoted=Goal(least=0.95)),
    _equal("calibrated", calibrations=3),
    _equal("missing periods", missing=0.015),
    _equal("half sampled", sampling=0.5),
    _equal("a tenth sampled", sampling=0.1),
    _equal("two instances and one shadow", instances=2),
    _equal("a steep day", diurnal=0.6, day=4 * 3600.0),
    _equal("harsh, calibrated once", parts=4, calibrations=1, **HARSH),
    _equal("harsh, calibrated", parts=4, calibrations=3, **HARSH),
    _equal("containers report their time", timed=True),
    _equal("containers report their time, harsh, calibrated", parts=4, calibrations=3, timed=True, **HARSH),
    _equal("production flips 3 % itself, measured", calibrations=1, rate=5.0, captured=True, own_flips=0.03),
    Cell(
        name="harmless, +4 %",
        world=replace(TWO_HOURS, ratio=1.04),
        seed=3200,
        goals={"rolled_back": Goal(most=0.01), "finally_promoted": Goal(least=0.75, reached=0.70)},
        parts=3,
    ),
    _at_the_margin("20 a second", parts=8),
    _at_the_margin("calibrated", parts=2, calibrations=3),
    _at_the_margin("harsh, calibrated", parts=1, calibrations=3, **HARSH),
    _bad("+25 %", found_by=2, found=0.99, parts=4, ratio=1.25),
    # None of 3,000 shows one of a thousand.
    _bad("tail +25 %", found_by=14, found=0.95, promoted=Goal(most=0.001, shown=True), parts=15, tail=1.25),
    _bad("tail +25 %, containers report their time", found_by=8, found=0.95, tail=1.25, timed=True),
    _bad("tail +50 %", found_by=5, tail=1.5),
    _bad("errors x5", found_by=8, shadow_error_rate=0.005),
    _bad("2 % of the answers flip, 5 a second", found_by=9, rate=5.0, captured=True, flips=0.02),
    _bad("+25 %, half sampled", found_by=4, ratio=1.25, sampling=0.5),
    _bad("+40 %, a tenth sampled", found_by=6, ratio=1.4, sampling=0.1),
    Cell(
        name="errors x2",
        world=replace(TWO_HOURS, shadow_error_rate=0.002),
        seed=3500,
        goals={"finally_promoted": Goal(most=0.01)},
    ),
)
