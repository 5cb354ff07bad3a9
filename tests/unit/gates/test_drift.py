"""Drift passes when equivalence is shown, fails when its contrary is, and tells index and distance beside it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.gates.columns import ks_distance, stability_index
from include.gates.drift import drift
from include.gates.reading import Reading
from include.gates.rules import assess
from include.rollout.gate import DriftGate, Outcome
from include.rollout.pairs import Pairs, Records, Tally
from include.rollout.sketch import Sketch
from tests.unit.gates.paired import PERIOD, answered, table_of
from tests.unit.gates.test_agreement import anything

RNG = np.random.default_rng(23)
OUTPUTS = RNG.normal(5, 2, 5000)


def found(pairs, gate=None, *, reading=1, **facts):
    return assess(gate or DriftGate(), table_of(pairs, **facts), Reading(number=reading))


def shifted(by, **facts):
    noise = np.random.default_rng(24).normal(0, 0.1, OUTPUTS.size)
    return answered(OUTPUTS.tolist(), (OUTPUTS + 2 * by + noise).tolist(), **facts)


def test_outputs_that_stay_where_they_were_pass():
    finding = found(shifted(0))
    assert finding.outcome is Outcome.PASS
    assert -0.1 < finding.low < finding.effect < finding.high < 0.1
    assert "stability index" in finding.reason


@pytest.mark.parametrize("by", [0.3, -0.3])
def test_a_shift_either_way_fails(by):
    finding = found(shifted(by))
    assert finding.outcome is Outcome.FAIL
    assert finding.effect == pytest.approx(by, abs=0.02)


def test_a_shift_at_the_limit_is_neither():
    finding = found(shifted(0.1))
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "cannot be excluded" in finding.reason


def test_equal_outputs_pass():
    assert found(answered(OUTPUTS.tolist(), OUTPUTS.tolist())).outcome is Outcome.PASS


def test_index_and_distance_are_known_for_known_distributions():
    """Of two normal distributions half a standard deviation apart, KS is 2 Phi(1/4) - 1 and the index about 1/4."""
    rng = np.random.default_rng(25)
    production, shadow = rng.normal(50, 2, 40_000), rng.normal(51, 2, 40_000)
    sketches = Sketch.of(production.tolist()), Sketch.of(shadow.tolist())
    assert ks_distance(*sketches) == pytest.approx(0.1974, abs=0.02)
    assert stability_index(*sketches) == pytest.approx(0.25, abs=0.04)
    same = sketches[0], sketches[0]
    assert (ks_distance(*same), stability_index(*same)) == (0, 0)


@pytest.mark.parametrize(("bound", "words"), [({"psi": 0.1}, "the index"), ({"ks": 0.05}, "the distance")])
def test_a_distribution_of_the_same_mean_is_caught_by_a_bound_and_told_without_one(bound, words):
    wider = (5 + 2 * (OUTPUTS - 5)).tolist()
    pairs = answered(OUTPUTS.tolist(), wider)
    assert found(pairs).outcome is Outcome.PASS
    finding = found(pairs, DriftGate(**bound))
    assert finding.outcome is Outcome.FAIL
    assert f"{words} " in finding.reason
    few = answered(OUTPUTS[:500].tolist(), wider[:500])
    assert found(few, DriftGate(mean=1, **bound)).outcome is Outcome.INCONCLUSIVE


def test_positive_decisions_are_compared_pair_by_pair():
    gate = DriftGate(positives=0.02)
    assert found(shifted(0), gate).outcome is Outcome.PASS
    balanced = Tally(n=5000, rises=300, falls=300)
    assert found(shifted(0, all=balanced), gate).outcome is Outcome.PASS
    turned = Tally(n=5000, rises=300, falls=20)
    finding = found(shifted(0, all=turned), gate)
    assert finding.outcome is Outcome.FAIL
    assert "positive decisions change by 5.6 pp" in finding.reason


def test_inputs_that_repeat_widen_the_interval():
    once, often = found(shifted(0.05)), found(shifted(0.05, repetition=500))
    assert often.high - often.low > 10 * (once.high - once.low)


@pytest.mark.parametrize(
    ("pairs", "outcome", "words"),
    [
        (None, Outcome.NO_DATA, "no captures"),
        (Pairs(period=PERIOD), Outcome.NO_DATA, "no pair has a number or a label"),
        (answered([1.0], [1.0]), Outcome.INCONCLUSIVE, "too few"),
        (answered([1.0] * 100, [1.0] * 100), Outcome.INCONCLUSIVE, "do not vary"),
        (shifted(0, all=Tally(n=5000, wild=1)), Outcome.INCONCLUSIVE, "out of range"),
        (shifted(0, all=Tally(n=9000)), Outcome.INCONCLUSIVE, "have no answer"),
        (
            shifted(0.5, production=Records(read=9000, matched=5000, unmatched=4000)),
            Outcome.INCONCLUSIVE,
            "have a partner",
        ),
    ],
)
def test_what_shows_nothing_passes_nothing_and_fails_nothing(pairs, outcome, words):
    finding = found(pairs)
    assert finding.outcome is outcome
    assert words in finding.reason


def test_a_window_that_was_cut_short_passes_and_fails_nothing():
    assert found(shifted(0), reading=0).outcome is Outcome.INCONCLUSIVE
    assert found(shifted(0.5), reading=0).outcome is Outcome.INCONCLUSIVE


@settings(max_examples=200, deadline=None)
@given(pairs=st.none() | anything(), reading=st.integers(0, 2))
def test_nothing_that_can_be_thought_of_raises(pairs, reading):
    gate = DriftGate(psi=0.1, ks=0.1, positives=0.1)
    finding = drift(gate, table_of(pairs), Reading(number=reading))
    assert finding.reason
    if finding.outcome is Outcome.PASS:
        assert reading
        assert max(pairs.shift.n, sum(x.production for x in pairs.columns.labels.values())) >= 1000
        assert not pairs.columns.many


def test_the_errors_of_equivalence_are_kept():
    """At the limit itself at most 1.8 % of windows pass and 1.8 % fail (the first reading's part of alpha); without a shift all pass."""
    rng = np.random.default_rng(26)
    outcomes = {0.1: [], 0.0: []}
    for shift, seen in outcomes.items():
        for _ in range(300):
            production = rng.normal(5, 2, 400)
            shadow = production + shift * production.std(ddof=1) + rng.normal(0, 0.5, 400)
            seen.append(found(answered(production.tolist(), shadow.tolist())).outcome)
    assert outcomes[0.1].count(Outcome.PASS) / 300 <= 0.045
    assert outcomes[0.1].count(Outcome.FAIL) / 300 <= 0.045
    assert outcomes[0.0].count(Outcome.PASS) / 300 >= 0.9
