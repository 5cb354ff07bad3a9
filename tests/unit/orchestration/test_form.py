"""The trigger form: what its fields change of the spec."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.definitions.param import ParamsDict, ParamValidationError

from include.orchestration.form import overrides, params


def filled(**given: Any) -> dict[str, Any]:
    form = ParamsDict(params())
    form.update({"spec": "churn_healthy", **given})
    return dict(form.validate())


def test_an_untouched_form_changes_nothing() -> None:
    assert overrides(filled()) == {}


def test_each_field_reaches_its_place_in_the_spec() -> None:
    changed = overrides(
        filled(
            artifact="s3://b/m.tar.gz",
            instance_type="ml.c5.large",
            instance_count=2,
            sampling=0.5,
            window_length=60,
            window_maximum=120,
            replay_rate=10,
            approval=True,
            dry_run=True,
        )
    )
    assert changed == {
        "candidate": {"artifact": "s3://b/m.tar.gz", "instance_type": "ml.c5.large", "instance_count": 2},
        "sampling": 0.5,
        "window": {"length": 60, "maximum": 120},
        "replay": {"rate": 10},
        "promotion": {"approval": True},
        "mode": "dry_run",
    }


def test_a_field_wins_over_the_free_object_and_leaves_the_rest_of_it() -> None:
    free = {"window": {"length": 30, "lag": 5}, "deploy_timeout": 60}
    assert overrides(filled(overrides=free, window_length=60)) == {
        "window": {"length": 60, "lag": 5},
        "deploy_timeout": 60,
    }
    assert free["window"] == {"length": 30, "lag": 5}


def test_replay_can_be_switched_off() -> None:
    assert overrides(filled(replay="off")) == {"replay": None}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sampling", 0),
        ("sampling", 1.5),
        ("instance_type", "m5.large"),
        ("instance_count", 0),
        ("replay", "maybe"),
        ("replay_rate", -1),
        ("window_length", "long"),
        ("approval", "yes"),
        ("overrides", [1]),
        ("spec", ""),
    ],
)
def test_a_wrong_value_is_refused_naming_the_field(field: str, value: Any) -> None:
    with pytest.raises(ParamValidationError, match=field):
        filled(**{field: value})


def test_every_field_has_a_title_and_a_description() -> None:
    for name, param in params().items():
        assert param.schema["title"], name
        assert param.description, name
        assert param.schema["section"], name
