"""Names: the same for the same run, legal everywhere."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.rollout.names import (
    inference_id_prefix,
    inference_ids,
    is_rollout_id,
    name_part,
    resource_name,
    rollout_id,
    rollout_of,
)


@given(st.text(), st.text())
def test_a_rollout_id_is_twelve_base32_characters_and_derives_from_the_run(dag: str, run: str) -> None:
    identity = rollout_id(dag, run)
    assert is_rollout_id(identity)
    assert identity == rollout_id(dag, run)


def test_another_run_is_another_rollout() -> None:
    assert rollout_id("dag", "run-1") != rollout_id("dag", "run-2")


@given(st.text(max_size=80))
def test_a_resource_name_is_one_that_sagemaker_takes(subject: str) -> None:
    name = resource_name("abcdefgh2345", "shadow", subject)
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", name)


def test_our_inference_ids_are_recognised_by_their_prefix_and_short_enough() -> None:
    identity = inference_ids("abcdefgh2345", 63)(10**12)
    assert identity.startswith(inference_id_prefix("abcdefgh2345"))
    assert identity.startswith(inference_id_prefix())
    assert len(identity) <= 64


@pytest.mark.parametrize("subject", ["e", "a" * 63])
def test_a_name_tells_its_rollout_and_shares_the_part_of_its_role_and_endpoint(subject: str) -> None:
    name = resource_name("q5m2xkzwc3ta", "promoted", subject)
    assert rollout_of(name) == "q5m2xkzwc3ta"
    assert name.endswith(name_part("promoted", subject))
    assert rollout_of("pen-short-promoted-e") is rollout_of(subject) is None
