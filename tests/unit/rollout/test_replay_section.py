"""What a spec may say of a replay: every mistake at once, and old specs as they were."""

from __future__ import annotations

from typing import Any

import pytest

from include.rollout.errors import SpecError
from include.rollout.replay import ReplaySection
from include.rollout.spec import merge, parse

SPEC: dict[str, Any] = {
    "endpoint": {"name": "churn"},
    "side_effect_free": True,
    "candidate": {"image": "x:2"},
    "replay": {"source": "rows.csv", "rate": 5},
}


def problems(replay: dict[str, Any], **others: Any) -> tuple[str, ...]:
    with pytest.raises(SpecError) as raised:
        parse(merge(SPEC, {"replay": replay, **others}), "bad.yaml")
    return raised.value.problems


def test_a_source_and_a_rate_are_enough() -> None:
    section = parse(SPEC, "good.yaml").replay
    assert section == ReplaySection(source="rows.csv", rate=5)
    assert (section.kind, section.pacer, section.passes, section.copies) == ("rows", "poisson", None, 1)


def test_a_section_survives_being_stored() -> None:
    section = ReplaySection.model_validate(
        {
            "source": "s3://bucket/captures/churn/AllTraffic",
            "kind": "captures",
            "since": "2026-01-01T00:00:00Z",
            "until": "2026-01-02T00:00:00+01:00",
            "rate": 20,
            "pacer": "recorded",
            "speed": 2,
            "longest_gap": 60,
            "redaction": {
                "rules": [{"column": 3, "action": "mask"}, {"path": "$.items[*].card", "action": "hash"}]
            },
        }
    )
    assert ReplaySection.model_validate(section.model_dump(mode="json")) == section


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pacer": "recorded"}, "only captures say when"),
        ({"since": "2026-01-01T00:00:00Z"}, "since is given and kind is rows"),
        (
            {"kind": "captures", "since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
            "since must be earlier",
        ),
        ({"kind": "captures", "since": "2026-01-01T00:00:00"}, "replay.since"),
        ({"kind": "files", "header": True}, "header is true and kind is files"),
        ({"pacer": "ramp"}, "ramp_seconds is missing"),
        ({"speed": 2}, "speed is given and pacer is poisson"),
        ({"pacer": "ramp", "ramp_seconds": 9, "longest_gap": 5}, "longest_gap is given and pacer is ramp"),
        ({"pacer": "ramp", "ramp_seconds": 9, "top_up": True}, "top_up is true and pacer is ramp"),
        ({"top_up": True, "copies": 2}, "top_up is true and copies is 2"),
        ({"shards": 4, "count": 3}, "every shard needs a request"),
        ({"content_type": "text/\ncsv"}, "printable ASCII"),
        ({"redaction": {"rules": [{"path": "$.a", "action": "drop"}]}}, "names no column"),
        (
            {
                "content_type": "application/json",
                "redaction": {"rules": [{"column": 1, "action": "drop"}]},
            },
            "names no path",
        ),
        (
            {
                "kind": "files",
                "content_type": "image/png",
                "redaction": {"rules": [{"column": 1, "action": "drop"}]},
            },
            "only CSV and JSON can be redacted",
        ),
        ({"redaction": {"rules": []}}, "rules is empty"),
        ({"redaction": {}}, "replay.redaction.rules is missing"),
        ({"redaction": {"rules": [{"action": "drop"}]}}, "exactly one"),
        ({"redaction": {"rules": [{"action": "drop", "path": "a.b"}]}}, "rules.0.path"),
        ({"redaction": {"rules": [{"action": "hide", "column": 1}]}}, "rules.0.action"),
        ({"passes": 0}, "replay.passes"),
        ({"malformed": 1.5}, "replay.malformed"),
        ({"source": ""}, "replay.source"),
    ],
)
def test_what_cannot_be_meant_is_named(change: dict[str, Any], said: str) -> None:
    found = problems(change)
    assert len(found) == 1
    assert said in found[0]


def test_every_mistake_of_the_section_and_of_others_is_named_at_once() -> None:
    found = problems(
        {
            "source": None,
            "kind": "tape",
            "speed": -1,
            "passes": 0,
            "colour": "red",
            "header": True,
            "pacer": "recorded",
            "redaction": {"rules": [{"action": "hide", "column": 1}, {"action": "drop", "path": "nowhere"}]},
        },
        window={"length": 65},
    )
    for word in (
        "replay.source",
        "replay.kind",
        "replay.speed",
        "replay.passes",
        "replay.colour",
        "only captures say when",
        "rules.0.action",
        "rules.1.path",
        "window: length is 65",
    ):
        assert sum(word in problem for problem in found) == 1, word
