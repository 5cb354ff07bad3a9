"""What a number of simulated rollouts can say about a goal (the soak's table of verdicts is read by it)."""

import pytest

from tests.soak.world.goal import Goal, Standing, least_runs
from tests.soak.world.trial import Share, pooled_shares


def of(runs, *, rolled_back=0, aborts=None):
    return Share(
        runs=runs, rolled_back=rolled_back / runs, promoted=0.0, inconclusive=0.0,
        finally_promoted=0.0, finally_inconclusive=0.0, aborts=aborts or {},
    )  # fmt: skip


ONE_PERCENT = Goal(most=0.01, shown=True)


@pytest.mark.parametrize(
    ("runs", "rolled_back", "standing"),
    [
        (200, 0, Standing.OPEN),  # the upper limit is 1.5 %
        (200, 2, Standing.OPEN),
        (200, 5, Standing.OPEN),
        (200, 6, Standing.MISSED),
        (298, 0, Standing.OPEN),
        (299, 0, Standing.SHOWN),
        (400, 1, Standing.OPEN),
        (800, 3, Standing.SHOWN),
        (800, 4, Standing.OPEN),
        (800, 14, Standing.MISSED),
    ],
)
def test_one_per_cent_is_shown_by_exact_limits_alone(runs, rolled_back, standing):
    held = ONE_PERCENT.held("rolled_back", of(runs, rolled_back=rolled_back))
    assert held.standing is standing
    assert ONE_PERCENT.met(held) == (standing is Standing.SHOWN)
    assert Goal(most=0.01).met(held) == (standing is not Standing.MISSED)


def test_a_cell_that_is_too_small_says_how_many_rollouts_it_takes():
    words = ONE_PERCENT.held("rolled_back", of(200)).words
    assert "0 of 200" in words
    assert "0.0149" in words
    assert "it takes 299" in words
    assert least_runs(0.05) == 59


def test_a_median_is_held_by_the_share_that_was_aborted_in_time():
    goal = Goal(most=2)
    for early, standing in ((440, Standing.SHOWN), (400, Standing.OPEN), (360, Standing.MISSED)):
        share = of(800, aborts={1: 100, 2: early - 100, 3: 800 - early})
        assert goal.held("median", share).standing is standing


def test_a_goal_that_gives_way_is_held_to_what_is_reached():
    share = of(600, rolled_back=445)
    assert Goal(least=0.78).held("rolled_back", share).standing is Standing.MISSED
    assert Goal(least=0.78, reached=0.70).held("rolled_back", share).standing is Standing.SHOWN


def test_pooled_rollouts_have_the_median_of_all():
    parts = [of(4, aborts={1: 3, 9: 1}), of(4, aborts={5: 1})]
    assert [part.median for part in parts] == [1.0, float("inf")]
    assert pooled_shares(parts).aborts == {1: 3, 5: 1, 9: 1}
    assert pooled_shares(parts).median == 7.0
