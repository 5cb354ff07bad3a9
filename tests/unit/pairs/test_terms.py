"""A spec that asks of its captures what they cannot give is refused when it is read."""

import pytest

from include.rollout.errors import SpecError
from include.rollout.spec import merge, parse

SPEC = {
    "endpoint": {"name": "churn"},
    "side_effect_free": True,
    "candidate": {"image": "x:2"},
    "capture": {"destination": "s3://bucket/captures"},
    "pairs": {"threshold": 0.5},
    "gates": {"rules": [{"kind": "completeness"}, {"kind": "agreement"}, {"kind": "drift"}]},
}


def test_a_spec_may_pair_and_gate_on_the_pairs():
    spec = parse(SPEC, "good.yaml")
    assert [gate.name for gate in spec.gates.rules] == ["completeness", "agreement", "drift"]
    assert spec.pairs.threshold == 0.5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pairs": None}, "gate agreement compares answers; it needs a pairs section"),
        ({"capture": None}, "there must be a capture section"),
        ({"capture": {"percentage": 50}}, "pairs need 100"),
        (
            {"pairs": {"output": "ranked", "threshold": None}},
            "gate drift needs pairs.output scalar, vector or label",
        ),
        (
            {
                "pairs": {"threshold": None},
                "gates": {"rules": [{"kind": "completeness"}, {"kind": "drift", "positives": 0.1}]},
            },
            "say with pairs.threshold what is positive",
        ),
        ({"pairs": {"segments": [{"name": "a", "at": -1}]}}, "pairs.segments"),
        (
            {
                "pairs": {"output": "label", "threshold": None},
                "gates": {"rules": [{"kind": "completeness"}, {"kind": "drift", "ks": 0.1}]},
            },
            "labels have no order",
        ),
        ({"pairs": {"slack": 0}}, "pairs.slack is 0"),
        ({"gates": {"rules": [{"kind": "completeness"}, {"kind": "agreement", "limit": 0}]}}, "limit is 0"),
    ],
)
def test_what_captures_cannot_give_is_refused_in_a_sentence(change, words):
    with pytest.raises(SpecError) as refused:
        parse(merge(SPEC, change), "bad.yaml")
    assert words in str(refused.value)
