"""The spec: every mistake at once, in sentences."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.rollout.errors import SpecError
from include.rollout.spec import RolloutSpec, json_schema, merge, parse, recall

GOOD: dict[str, Any] = {
    "endpoint": {"name": "churn"},
    "side_effect_free": True,
    "candidate": {"image": "x:2"},
}


def test_a_spec_with_five_mistakes_names_all_five() -> None:
    document = merge(
        GOOD,
        {
            "endpoint": {"name": "not a name"},
            "sampling": 1.5,
            "window": {"length": 65},
            "candidate": {"instance_type": "m5"},
            "colour": "red",
        },
    )
    with pytest.raises(SpecError) as raised:
        parse(document, "bad.yaml")
    assert len(raised.value.problems) == 5
    for word in ("endpoint.name", "sampling", "window: length is 65", "candidate.instance_type", "colour"):
        assert any(word in problem for problem in raised.value.problems), word
    assert "bad.yaml has 5 mistakes" in str(raised.value)


def test_a_rule_between_fields_is_named_beside_a_wrong_field() -> None:
    document = merge(GOOD, {"sampling": 0.5, "promotion": {"settings": "shadow"}, "window": {"period": 7}})
    with pytest.raises(SpecError) as raised:
        parse(document, "bad.yaml")
    assert any("promotion.settings is shadow" in problem for problem in raised.value.problems)
    assert any(problem.startswith("window.period is 7") for problem in raised.value.problems)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"side_effect_free": False}, "side_effect_free"),
        ({"gates": {"rules": [{"kind": "min_sample"}]}}, "no critical completeness gate"),
        ({"gates": {"rules": [{"kind": "completeness"}, {"kind": "completeness"}]}}, "more than once"),
        (
            {"gates": {"rules": [{"kind": "completeness"}, {"kind": "latency", "block": 90}]}},
            "multiple of window.period",
        ),
        ({"candidate": {"package": "arn", "image": "x"}}, "package excludes"),
        ({"window": {"length": 3600, "maximum": 60}}, "at least length"),
        ({"window": {"period": 30, "maximum": 10800}}, r"gives such periods back for 9900 s only"),
        ({"window": {"maximum": 15 * 86400}}, "take a longer period"),
        ({"candidate": {"instance_count": 0}}, "candidate.instance_count"),
        ({"candidate": {"image": None, "instance_type": "ml.c5.large"}}, "promoting it would change nothing"),
        (
            {"budget": {"limit": 5}, "promotion": {"approval": True, "keep_shadow": True}},
            "for up to 86400 s behind the window",
        ),
        (
            {
                "strategy": "managed",
                "promotion": {"by": "sagemaker", "windows": [{"begin": "09:00", "end": "16:00"}]},
            },
            "leave windows out",
        ),
        ({"promotion": {"watch": 90}}, r"multiple of window.period \(60\)"),
        ({"promotion": {"watch": 7200}}, r"at most window.length \(3600\)"),
        ({"promotion": {"watch": 60}, "gates": {"rules": [{"kind": "completeness"}]}}, "no gate can watch"),
        ({"refresh": {"schedule": "now and then", "artifacts": "s3://abc/"}}, "refresh.schedule"),
        ({"refresh": {"schedule": "@daily"}}, "exactly one"),
        ({"refresh": {"schedule": "@daily", "artifacts": "s3://abc/", "package_group": "g"}}, "exactly one"),
        ({"refresh": {"schedule": "0 4 * * 1-5", "package_group": "g"}}, "excludes candidate.image"),
    ],
    ids=[
        "side effects",
        "no completeness",
        "a gate twice",
        "block",
        "two sources",
        "maximum",
        "seconds that CloudWatch forgets",
        "minutes that CloudWatch forgets",
        "count",
        "nothing to promote",
        "a shadow that is kept beyond its budget",
        "a managed test that cannot wait",
        "watch between periods",
        "watch longer than the window",
        "nothing to watch with",
        "schedule",
        "no source of a refresh",
        "two sources of a refresh",
        "package and image",
    ],
)
def test_what_cannot_be_meant_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        parse(merge(GOOD, change), "bad.yaml")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"gates": {"rules": [{"kind": "latenzy"}]}},
            "gates.rules.0.kind is 'latenzy'; it must be one of 'completeness'",
        ),
        ({"gates": {"rules": [{"margin": 1}]}}, "gates.rules.0.kind is missing; it must be given"),
        (
            {"candidate": {"instance_type": "m5"}},
            "candidate.instance_type is 'm5'; allowed: such as `ml.m5.xlarge`",
        ),
        ({"endpoint": {"name": "no no"}}, "endpoint.name is 'no no'; allowed: letters, digits and hyphens"),
    ],
    ids=["unknown gate", "gate without a kind", "instance type", "name"],
)
def test_what_is_allowed_is_said_in_words_and_not_as_a_pattern(change: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError) as raised:
        parse(merge(GOOD, change), "bad.yaml")
    assert any(problem.startswith(said) for problem in raised.value.problems), raised.value.problems


def test_what_is_not_a_mapping_is_refused_in_a_sentence() -> None:
    with pytest.raises(SpecError, match="must be a mapping"):
        parse(["endpoint"], "list.yaml")


def test_a_spec_survives_the_ledger() -> None:
    spec = parse(GOOD, "good.yaml")
    assert parse(spec.model_dump(mode="json"), "stored") == spec


def test_the_defaults_are_those_for_real_endpoints() -> None:
    window = parse(GOOD, "good.yaml").window
    assert (window.period, window.lag, window.warm_up, window.length, window.maximum) == (
        60,
        180,
        300,
        3600,
        7200,
    )


def test_overrides_reach_into_sections_and_leave_the_rest() -> None:
    merged = merge({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": 3}, "d": [2, 3]})
    assert merged == {"a": {"b": 3, "c": 2}, "d": [2, 3]}


def test_the_schema_describes_every_section() -> None:
    assert set(RolloutSpec.model_fields) == set(json_schema()["properties"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, st.sampled_from(["window", "gates", "endpoint", "replay", "promotion", "candidate"]))
def test_no_document_raises_anything_but_a_spec_error(part: Any, section: str) -> None:
    for document in (part, {**GOOD, section: part}):
        try:
            parse(document, "any")
        except SpecError as error:
            problems = error.problems
        else:
            continue
        assert problems


def test_a_stored_spec_of_a_newer_version_is_still_read() -> None:
    stored = parse(GOOD, "good.yaml").model_dump(mode="json")
    newer = merge(stored, {"labels": {"delay": 5}, "window": {"diurnal": True}})
    with pytest.raises(SpecError):
        parse(newer, "a file")
    assert recall(newer, "the stored spec") == parse(GOOD, "good.yaml")


def test_a_stored_spec_that_is_wrong_is_refused_all_the_same() -> None:
    with pytest.raises(SpecError, match="sampling"):
        recall(merge(GOOD, {"sampling": 7}), "the stored spec")


def test_an_a_a_rollout_shadows_production_with_itself() -> None:
    spec = parse({**GOOD, "candidate": {}, "mode": "aa"}, "aa.yaml")
    assert spec.mode == "aa"
    with pytest.raises(
        SpecError, match="candidate asks for image; an A/A rollout shadows production with itself"
    ):
        parse({**GOOD, "mode": "aa"}, "aa.yaml")


@pytest.mark.parametrize("candidate", [{}, None, {"package_group": "churn"}])
def test_a_candidate_must_ask_for_something(candidate: object) -> None:
    with pytest.raises(
        SpecError, match="candidate asks for nothing that production has not; name one of package"
    ):
        parse({**GOOD, "candidate": candidate}, "empty.yaml")
