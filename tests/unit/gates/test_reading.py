"""How often gates are read, and at which error."""

import pytest

from include.gates.reading import Contradiction, Reading
from include.rollout.gate import ErrorRateGate


@pytest.mark.parametrize("number", [1, 2])
def test_each_of_two_readings_spends_half_of_alpha(number):
    assert Reading(number=number).alpha(ErrorRateGate(alpha=0.05)) == 0.025


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
