"""Equal documents are equal bytes, and what is not JSON is refused by its path."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.ledger.canonical import canonical, digest
from include.rollout.errors import LedgerError
from include.rollout.stage import Stage

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), JSON))
def test_a_document_read_back_is_the_same_bit_for_bit(document):
    body = canonical(document)
    assert json.loads(body) == document
    assert canonical(json.loads(body)) == body


def test_the_order_of_keys_and_the_kind_of_sequence_do_not_change_the_digest():
    assert digest({"b": (1, 2), "a": {"y": 1, "x": 2}}) == digest({"a": {"x": 2, "y": 1}, "b": [1, 2]})
    assert digest({"a": 1}) != digest({"a": 2})


def test_moments_are_written_in_utc_and_enums_as_their_values():
    summer = timezone(timedelta(hours=2))
    document = {
        "at": datetime(2026, 7, 1, 12, tzinfo=summer),
        "fine": datetime(2026, 7, 1, 12, 0, 0, 250, tzinfo=UTC),
        "stage": Stage.SHADOW,
        "ratio": np.float64(0.1),
    }
    assert (
        canonical(document)
        == b'{"at":"2026-07-01T10:00:00Z","fine":"2026-07-01T12:00:00.000250Z","ratio":0.1,"stage":"SHADOW"}'
    )


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        -float("inf"),
        np.float64("nan"),
        np.bool_(True),
        np.int64(3),
        datetime(2026, 1, 1),
        Decimal("1.5"),
        {1, 2},
        b"bytes",
        {3: "a number as key"},
    ],
    ids=str,
)
def test_what_is_not_json_is_refused_and_its_place_is_named(value):
    with pytest.raises(LedgerError, match=r"at gates\[1\]\.p99"):
        canonical({"gates": [{}, {"p99": value}]})


def test_half_a_character_is_refused():
    with pytest.raises(LedgerError, match="Unicode"):
        canonical({"text": "\ud800"})
