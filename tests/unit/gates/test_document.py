"""Plain JSON out of whatever a validation returns."""

import json
from datetime import UTC, datetime
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.gates.document import canonical, digest, plain
from include.rollout.gate import Outcome


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.bool_(True), True),
        (np.float64(1.5), 1.5),
        (np.int64(3), 3),
        (float("nan"), None),
        (float("inf"), None),
        (np.float64("-inf"), None),
        (np.array([1.0, np.nan]), [1.0, None]),
        (Outcome.PASS, "PASS"),
        ({Outcome.PASS: (1, 2)}, {"PASS": [1, 2]}),
        ({2, 1}, [1, 2]),
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00+00:00"),
        (UUID(int=0), "00000000-0000-0000-0000-000000000000"),
        (True, True),
        (None, None),
    ],
)
def test_a_value_becomes_what_json_knows(value, expected):
    found = plain(value)
    assert found == expected
    assert type(found) is type(expected)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(anything)
def test_whatever_comes_in_strict_json_comes_out(value):
    text = canonical(value)
    assert json.loads(text, parse_constant=pytest.fail) == plain(value)


def test_the_digest_does_not_depend_on_the_order_of_keys():
    assert digest({"a": 1, "b": [2.0]}) == digest({"b": [2.0], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
