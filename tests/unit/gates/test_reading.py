"""How often gates are read, and at which error."""

import pytest

from include.gates.reading import Contradiction, Reading
from include.rollout.gate import ErrorRateGate
from include.stats.spending import reading_alphas

GATE = ErrorRateGate(alpha=0.05)


@pytest.mark.parametrize("fraction", [0.25, 0.5, 0.9])
def test_the_two_readings_share_alpha_by_how_much_of_the_window_is_over(fraction):
    first, second = (Reading(number=number, fraction=fraction).alpha(GATE) for number in (1, 2))
    assert (first, second) == reading_alphas(0.05, fraction)
    assert first + second > 0.05  # the readings see the same periods, so they need not share it by halves


def test_a_window_that_cannot_be_extended_is_read_at_the_whole_of_alpha():
    assert Reading(number=1, fraction=1.0).alpha(GATE) == 0.05


def test_limits_that_hold_at_any_look_have_the_whole_of_alpha():
    assert Reading(number=0).alpha(GATE) == 0.05


@pytest.mark.parametrize("number", [-1, 3])
def test_a_third_reading_is_refused(number):
    with pytest.raises(ValueError, match="once or twice"):
        Reading(number=number)


def test_a_window_cut_short_is_not_a_reading():
    assert not Reading(number=0).is_final


def test_a_contradiction_says_how_strong_it_was_and_when():
    words = Contradiction(log_e=6.0, bar=4.60517, periods=3, shared=2).words
    assert "403" in words
    assert "100" in words
    assert "3 periods" in words
    assert "2 measures" in words
