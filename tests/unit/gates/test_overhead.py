"""Overhead passes below its limit, fails above it, and says nothing where little was measured."""

import numpy as np
import pytest

from include.gates.reading import Reading
from include.gates.rules import assess
from include.gates.table import Table
from include.rollout.gate import Outcome
from include.rollout.operating import OverheadGate
from tests.unit.gates.operated import delayed

VALUES = np.random.default_rng(33).normal(3000, 200, 30)


def found(values, limit_ms=5.0, *, reading=1):
    gate = OverheadGate(limit_ms=limit_ms, block=50)
    return assess(gate, Table.of(delayed(values)), Reading(number=reading))


@pytest.mark.parametrize(
    ("limit_ms", "outcome"), [(5, Outcome.PASS), (3, Outcome.INCONCLUSIVE), (1, Outcome.FAIL)]
)
def test_the_mean_is_held_against_the_limit(limit_ms, outcome):
    finding = found(VALUES.tolist(), limit_ms)
    assert finding.outcome is outcome
    assert finding.effect == pytest.approx(3, abs=0.1)
    assert finding.low < finding.effect < finding.high
    assert "SageMaker adds 2.98 ms" in finding.reason


@pytest.mark.parametrize(
    ("values", "outcome", "words"),
    [
        ([None] * 30, Outcome.NO_DATA, "no OverheadLatency"),
        ([3000.0], Outcome.INCONCLUSIVE, "fewer than two blocks"),
        ([3000.0, None, None] * 10, Outcome.INCONCLUSIVE, "measured in 10 of 30"),
        ([3000.0] * 30, Outcome.INCONCLUSIVE, "too coarse"),
    ],
)
def test_what_shows_nothing_passes_nothing(values, outcome, words):
    finding = found(values)
    assert finding.outcome is outcome
    assert words in finding.reason


def test_a_window_that_was_cut_short_passes_and_fails_nothing():
    assert found(VALUES.tolist(), reading=0).outcome is Outcome.INCONCLUSIVE
    assert found(VALUES.tolist(), 1, reading=0).outcome is Outcome.INCONCLUSIVE
