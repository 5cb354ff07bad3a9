"""Documents are compared field by field, with tolerances, whatever their shape."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.pairs.documents import Documents
from include.rollout.comparison import PairsSection

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.floats(-1e6, 1e6) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


def compare(production: object, shadow: object, **terms: object) -> list[float]:
    return Documents(PairsSection(output="json", **terms)).compare(json.dumps(production), json.dumps(shadow))


@given(ANYTHING)
def test_a_document_agrees_with_itself(document):
    assert compare(document, document) == [1.0, 0.0]


@given(ANYTHING, ANYTHING)
def test_agreement_does_not_depend_on_who_is_asked_first(one, other):
    assert compare(one, other)[0] == compare(other, one)[0]


@pytest.mark.parametrize(
    ("production", "shadow", "agree", "difference"),
    [
        ({"a": [1, 2.0]}, {"a": [1, 2.5]}, 0, 0.5),
        ({"a": [1, 2]}, {"a": [1]}, 0, 0),
        ({"a": 1}, {"a": True}, 0, 0),
        ({"a": None}, {}, 0, 0),
        ({"a": 3, "b": 1}, {"a": 1, "b": 2}, 0, -2),
    ],
)
def test_what_differs_is_found(production, shadow, agree, difference):
    assert compare(production, shadow) == [agree, difference]


def test_a_number_that_is_not_finite_agrees_with_nothing():
    agree, difference = Documents(PairsSection(output="json")).compare('{"a": NaN}', '{"a": NaN}')
    assert agree == 0
    assert math.isnan(difference)


def test_ignored_paths_may_stand_for_any_index_or_field():
    production, shadow = (
        {"i": [{"t": 1}, {"t": 2}], "m": {"x": 1}},
        {"i": [{"t": 3}, {}], "m": {"x": 2, "y": 1}},
    )
    assert compare(production, shadow, ignore=["$.i[*].t", "$.m.*"])[0] == 1
    assert compare(production, shadow, ignore=["$.i[0].t", "$.m.*"])[0] == 0
