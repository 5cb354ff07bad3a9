"""Drift of answers with several columns: every one must stay, and the one that moved furthest is named."""

from dataclasses import replace

import numpy as np
import pytest

from include.gates.reading import Reading
from include.gates.rules import assess
from include.rollout.columns import Column, Columns, Label
from include.rollout.gate import DriftGate, Outcome
from include.rollout.moments import Moments
from include.rollout.sketch import Sketch
from tests.unit.gates.paired import answered, counted, table_of


def found(pairs, gate=None, *, reading=1):
    return assess(gate or DriftGate(), table_of(pairs), Reading(number=reading))


def vectors(*moved):
    """Return pairs of answers with an element for each number, moved by so many standard deviations."""
    rng = np.random.default_rng(51)
    first, *others = [(rng.normal(5, 2, 4000), rng.normal(2 * by, 0.2, 4000)) for by in moved]
    elements = {
        str(i): Column(
            production=Moments.of(*p),
            shadow=Moments.of(*(p + d)),
            shift=Moments.of(*d),
            production_outputs=Sketch.of(p.tolist()),
            shadow_outputs=Sketch.of((p + d).tolist()),
        )
        for i, (p, d) in enumerate(others, start=1)
    }
    p, d = first
    return answered(p.tolist(), (p + d).tolist(), columns=Columns(elements=elements))


def test_every_element_of_a_vector_must_stay_and_the_worst_is_named():
    assert found(vectors(0, 0, 0)).outcome is Outcome.PASS
    finding = found(vectors(0, 0.02, -0.5))
    assert finding.outcome is Outcome.FAIL
    assert finding.effect == pytest.approx(-0.5, abs=0.03)
    assert "the shadow's element 2 (the furthest of 3 columns)" in finding.reason
    assert "the shift of element 2 is beyond 0.1" in finding.reason
    assert finding.details["columns"][0]["column"] == "element 2"
    assert found(vectors(0.5, 0, 0)).details["columns"][0]["column"] == "element 0"
    assert found(vectors(0, 0.1, 0)).outcome is Outcome.INCONCLUSIVE


def test_a_bound_holds_for_every_element():
    assert found(vectors(0, 0, 0.09), DriftGate(mean=1)).outcome is Outcome.PASS
    assert found(vectors(0, 0, 0.09), DriftGate(mean=1, ks=0.02)).outcome is Outcome.FAIL


def test_an_element_that_nobody_gives_is_no_column_and_one_that_appears_is_a_doubt():
    zeros, ones = Moments.of(*[0.0] * 4000), Moments.of(*[1.0] * 4000)
    pairs = vectors(0)
    idle = Column(production=zeros, shadow=zeros, shift=zeros)
    assert found(replace(pairs, columns=Columns(elements={"1": idle}))).outcome is Outcome.PASS
    appears = Column(production=zeros, shadow=ones, shift=ones)
    finding = found(replace(pairs, columns=Columns(elements={"1": appears})))
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "do not vary in element 1" in finding.reason


def labelled(counts):
    """Return pairs of labels: label -> (production's, shadow's, both's)."""
    labels = {name: Label(production=p, shadow=s, both=b) for name, (p, s, b) in counts.items()}
    n = sum(label.production for label in labels.values())
    return counted([0], [n], columns=Columns(labels=labels))


@pytest.mark.parametrize(
    ("counts", "outcome", "words"),
    [
        ({"yes": (3000, 3000, 3000), "no": (7000, 7000, 7000)}, Outcome.PASS, "standard deviations"),
        ({"yes": (3000, 4000, 3000), "no": (7000, 6000, 6000)}, Outcome.FAIL, "the shadow's label "),
        ({"yes": (3000, 3450, 3000), "no": (7000, 6550, 6550)}, Outcome.INCONCLUSIVE, "cannot be excluded"),
        (
            {"yes": (5000, 4800, 4800), "no": (5000, 4800, 4800), "new": (0, 400, 0)},
            Outcome.FAIL,
            "the shift of label new is beyond",
        ),
        ({"yes": (9000, 9000, 9000)}, Outcome.INCONCLUSIVE, "every answer is the same label"),
        ({"yes": (1, 1, 1)}, Outcome.INCONCLUSIVE, "the same label"),
        ({"yes": (1, 0, 0), "no": (0, 1, 0)}, Outcome.INCONCLUSIVE, "too few"),
    ],
)
def test_labels_are_compared_by_their_shares(counts, outcome, words):
    finding = found(labelled(counts))
    assert finding.outcome is outcome
    assert words in finding.reason


def test_the_index_of_labels_can_be_bound():
    moved = labelled({"yes": (3000, 3300, 3000), "no": (7000, 6700, 6700)})
    assert found(moved, DriftGate(mean=1, psi=0.1)).outcome is Outcome.PASS
    assert found(moved, DriftGate(mean=1, psi=0.001)).outcome is Outcome.FAIL


def test_too_many_columns_pass_nothing():
    finding = found(replace(vectors(0), columns=Columns(many=True)))
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "more than 64" in finding.reason


def test_many_columns_at_the_limit_seldom_fail():
    """Of 20 elements at the limit itself any fails in about 1 of 40 windows: alpha is shared among them."""
    rng = np.random.default_rng(52)
    runs, failed = 100, 0
    spread = Moments(n=300, squares=299 << 60)  # standard deviation 1
    for _ in range(runs):
        elements = {
            str(i): Column(production=spread, shift=Moments.of(*rng.normal(0.1, 0.5, 300)))
            for i in range(1, 21)
        }
        outputs = rng.normal(0, 1, 300).tolist()
        pairs = answered(outputs, outputs, columns=Columns(elements=elements))
        failed += found(pairs).outcome is Outcome.FAIL
    assert failed / runs <= 0.06
