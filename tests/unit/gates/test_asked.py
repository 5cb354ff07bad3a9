"""Expectations of users: refused early where they cannot be meant, never passed where they show nothing."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.gates.asked import expectation
from include.gates.catalogue import catalogue
from include.gates.judge import judge
from include.gates.reading import Answer, Reading
from include.rollout.errors import SpecError
from include.rollout.evidence import Evidence, Period
from include.rollout.expectation import CATALOGUE, ExpectationGate
from include.rollout.gate import CompletenessGate, GatePolicy, Outcome
from include.rollout.pairs import Records
from include.rollout.predictions import MOST, Predictions
from include.rollout.spec import parse
from include.steps.specs import check_expectations
from tests.unit.gates.conftest import BEGIN
from tests.unit.gates.paired import counted, table_of
from tests.unit.gates.test_agreement import anything

BETWEEN = {"column": "shadow", "min_value": 0, "max_value": 1}
OWN = "tests.unit.gates.own.ExpectScoresToBeShares"
RNG = np.random.default_rng(41)
SCORES = RNG.uniform(0, 1, 1500).tolist()


def asking(type="expect_column_values_to_be_between", kwargs=BETWEEN, **facts):
    return ExpectationGate(type=type, kwargs=kwargs, **facts)


def answers(shadow, **facts):
    rows = [(i, answer, answer) for i, answer in enumerate(shadow)]
    return counted([0], [len(shadow)], predictions=Predictions.of(rows, total=len(rows)), **facts)


def judged(pairs, *gates, aborting=False):
    """Judge evidence with these pairs, through Great Expectations, and return the findings behind completeness."""
    rows = (Period(start=BEGIN, invocations=float(pairs.production.read)),) if pairs else ()
    evidence = Evidence(
        begin=BEGIN,
        end=BEGIN + timedelta(seconds=60),
        period=60,
        sampling=1.0,
        production=rows,
        shadow=rows,
        pairs=pairs,
    )
    stored = Evidence.from_document(json.loads(json.dumps(evidence.to_document())))
    assert replace(stored) == evidence
    found = judge(stored, GatePolicy(rules=(CompletenessGate(), *gates)), reading=1, aborting=aborting)
    json.dumps(found.validation, allow_nan=False)
    return found.findings[1:]


def test_expectations_hold_or_do_not_hold_of_the_predictions():
    holds, fails, own, quantiles, raises = judged(
        answers([(value,) for value in SCORES]),
        asking(),
        asking("expect_column_mean_to_be_between", {"column": "shadow", "min_value": 0.9}),
        asking(OWN, {}),
        asking(
            "expect_column_quantile_values_to_be_between",
            {
                "column": "shadow",
                "quantile_ranges": {"quantiles": [0.1, 0.9], "value_ranges": [[0, 0.2], [0.8, 1]]},
            },
        ),
        asking(kwargs={"column": "nowhere", "max_value": 1}, label="nowhere"),
    )
    assert holds.outcome is Outcome.PASS
    assert "1,500 predictions holds" in holds.reason
    assert fails.outcome is Outcome.FAIL
    assert "observed: 0.5" in fails.reason
    assert (own.gate, own.outcome) == ("expectation:ExpectScoresToBeShares", Outcome.PASS)
    assert quantiles.outcome is Outcome.PASS
    assert raises.outcome is Outcome.INCONCLUSIVE
    assert "nowhere" in raises.reason


def test_vectors_have_a_column_for_each_element_and_labels_are_text():
    first, second, label = judged(
        answers([(value, 1 - value) for value in SCORES]),
        asking("expect_multicolumn_sum_to_equal", {"column_list": ["shadow_0", "shadow_1"], "sum_total": 1.0, "mostly": 0.9}),
        asking(kwargs={"column": "shadow_1", "min_value": 0.5}),
        asking("expect_column_values_to_be_in_set", {"column": "shadow", "value_set": ["yes", "no"]}),
    )  # fmt: skip
    assert first.outcome is Outcome.PASS
    assert second.outcome is Outcome.FAIL
    assert label.outcome is Outcome.FAIL  # numbers are no labels
    (label,) = judged(
        answers(["yes", "no"] * 600),
        asking("expect_column_values_to_be_in_set", {"column": "shadow", "value_set": ["yes", "no"]}),
    )
    assert label.outcome is Outcome.PASS


HOLES = [None if i % 20 == 0 else (value,) for i, value in enumerate(SCORES)]


@pytest.mark.parametrize(
    ("pairs", "outcome", "words"),
    [
        (None, Outcome.NO_DATA, "no predictions"),
        (answers([]), Outcome.NO_DATA, "no predictions"),
        (answers([(0.5,), (0.6,)]), Outcome.INCONCLUSIVE, "are needed"),
        (answers([(v,) for v in SCORES], repetition=3), Outcome.INCONCLUSIVE, "worth 500"),
        (answers(HOLES), Outcome.INCONCLUSIVE, "could not be read"),
        (answers([None] * 1500), Outcome.INCONCLUSIVE, "could not be read"),
        (answers([(0.5,)] * 1500), Outcome.INCONCLUSIVE, "the same answer"),
        (
            answers([(v,) for v in SCORES], production=Records(read=9000, matched=1500, unmatched=7500)),
            Outcome.INCONCLUSIVE,
            "have a partner",
        ),
    ],
    ids=["no pairs", "none", "two", "repeated", "holes", "all missing", "all equal", "unmatched"],
)
def test_an_expectation_that_holds_of_too_little_is_no_pass(pairs, outcome, words):
    reading = Reading(number=1, answers={asking().name: Answer(success=True)})
    finding = expectation(asking(), table_of(pairs), reading)
    assert finding.outcome is outcome
    assert words in finding.reason


def test_a_window_that_was_cut_short_passes_and_fails_nothing():
    for success in (True, False):
        reading = Reading(number=0, answers={asking().name: Answer(success=success)})
        finding = expectation(asking(), table_of(answers([(v,) for v in SCORES])), reading)
        assert finding.outcome is Outcome.INCONCLUSIVE


NUMBER = st.sampled_from([0.0, -1.0, 1e300, float("nan"), float("inf"), -float("inf")])
ANSWERED = st.none() | st.text(max_size=2) | st.lists(NUMBER, max_size=3).map(tuple)


@settings(max_examples=100, deadline=None)
@given(
    pairs=anything(),
    rows=st.lists(st.tuples(st.integers(0, 9), ANSWERED, ANSWERED), max_size=5),
    answer=st.none() | st.builds(Answer, success=st.booleans(), raised=st.none() | st.just("oh")),
    number=st.integers(0, 2),
)
def test_nothing_that_can_be_thought_of_raises_or_passes(pairs, rows, answer, number):
    drawn = replace(pairs, predictions=Predictions.of(rows, total=len(rows)))
    reading = Reading(number=number, answers={} if answer is None else {asking().name: answer})
    finding = expectation(asking(), table_of(drawn), reading)
    assert finding.reason
    assert finding.outcome not in (Outcome.PASS, Outcome.FAIL)


ROWS = st.lists(st.tuples(st.integers(0, 3 * MOST), st.none(), st.sampled_from("abc")), max_size=30)


@settings(max_examples=50, deadline=None)
@given(a=ROWS, b=ROWS, c=ROWS)
def test_parts_of_a_sample_merge_in_any_order(a, b, c):
    parts = [Predictions.of(rows, total=len(rows)) for rows in (a, b, c)]
    whole = Predictions.of([*a, *b, *c], total=len(a) + len(b) + len(c))
    assert parts[0] + parts[1] + parts[2] == parts[2] + (parts[1] + parts[0]) == whole
    assert Predictions.from_document(json.loads(json.dumps(whole.to_document()))) == whole


def test_a_sample_is_bounded_and_knows_what_it_was_drawn_from():
    many = Predictions.of([(i, (0.5,), (0.5,)) for i in range(MOST + 7, 0, -1)], total=MOST + 7)
    assert len(many.rows) == MOST
    assert many.rows[0][0] == 1
    assert many.total == MOST + 7


def test_the_catalogue_is_that_of_the_installed_great_expectations():
    assert json.loads(CATALOGUE.read_text()) == catalogue(), "python -m include.gates.catalogue"


def spec_of(**gate):
    return {
        "endpoint": {"name": "churn"},
        "side_effect_free": True,
        "candidate": {"image": "new:1"},
        "capture": {"destination": "s3://captures"},
        "pairs": {},
        "gates": {"rules": [{"kind": "completeness"}, {"kind": "expectation", **gate}]},
    }


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        ({"type": "expect_column_values_to_be_betwen"}, "such as expect_column_values_to_be_between"),
        ({"type": "expect_column_values_to_be_between", "kwargs": {"column": "shadow", "min": 0}}, "kwargs.min is not known"),
        ({"type": "expect_column_values_to_be_between", "kwargs": {}}, "kwargs.column is missing"),
        ({"type": "expect_column_values_to_be_between", "kwargs": {"column": 1}}, "kwargs.column is of type number"),
        ({"type": "expect_column_values_to_be_between", "kwargs": {**BETWEEN, "mostly": 0}}, "anything meets"),
        ({"type": "expect_column_values_to_be_between", "kwargs": {**BETWEEN, "row_condition": "1==0"}}, "row_condition is not known"),
        ({"type": "expect_column_values_to_be_between", "kwargs": {**BETWEEN, "max_value": float("inf")}}, "finite"),
        ({"type": "os"}, "pattern"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_when_the_spec_is_read(gate, words):
    with pytest.raises(SpecError, match=words):
        parse(spec_of(**gate), "a spec")


def test_answers_that_have_no_columns_are_refused():
    document = spec_of(type="expect_column_values_to_be_between", kwargs=BETWEEN)
    with pytest.raises(SpecError, match=r"needs pairs\.output scalar, vector or label; it is ranked"):
        parse({**document, "pairs": {"output": "ranked"}}, "a spec")
    with pytest.raises(SpecError, match="needs a pairs section"):
        parse({key: value for key, value in document.items() if key != "pairs"}, "a spec")


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        ({"type": "nowhere.at.All"}, "no file nowhere/at.py"),
        ({"type": "tests.unit.gates.own.NoExpectation"}, "is no class of an expectation"),
        ({"type": "tests.unit.gates.own.Missing"}, "is no class of an expectation"),
        ({"type": OWN, "kwargs": {"max_value": "much"}}, "does not take"),
        ({"type": OWN, "kwargs": {"most": 1}}, "does not take"),
    ],
)
def test_classes_and_arguments_that_do_not_fit_are_refused_before_anything_is_touched(gate, words):
    with pytest.raises(SpecError, match=words):
        check_expectations(parse(spec_of(**gate), "a spec"), "a spec")
    check_expectations(parse(spec_of(type=OWN), "a spec"), "a spec")


def test_reading_a_spec_imports_no_great_expectations():
    code = (
        "import json, sys; from include.rollout.spec import parse;"
        f"parse(json.loads({json.dumps(json.dumps(spec_of(type='expect_column_values_to_be_between', kwargs=BETWEEN)))}), 'x');"
        "print([m for m in ('great_expectations', 'pandas', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
