"""The whole table: what becomes of rollouts in ordinary and in harsh worlds, judged by the real gates.

`benchmarks/verdicts.py` keeps the same table as a dated result.
"""

import pytest

from tests.soak.world.cells import CELLS, HARSH, LENGTH
from tests.soak.world.endpoint import World
from tests.soak.world.trial import peeked, pooled_shares, share

pytestmark = pytest.mark.timeout(7200)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_verdicts_meet_their_goals(cell):
    found = pooled_shares([cell.part(number) for number in range(cell.parts)])
    print(found)
    held = [(goal, goal.held(what, found)) for what, goal in cell.goals.items()]
    print(*(each.words for _, each in held), sep="\n")
    assert not [each.words for goal, each in held if not goal.met(each)]


def test_the_control_that_peeks_rolls_equal_variants_back():
    assert peeked(World(periods=LENGTH), seed=106, runs=200) >= 0.05


def test_without_a_calibration_harsh_jitter_rolls_equal_variants_back():
    """The price of a prior that is wrong, and why an endpoint is to be calibrated."""
    found = share(World(periods=LENGTH, **HARSH), seed=107, runs=100)
    print(found)
    assert found.rolled_back >= 0.05
