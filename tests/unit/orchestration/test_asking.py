"""Who asked for a rollout, as its record will say months later."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from include.orchestration.asking import ASKED_BY, asking, who_asked
from include.orchestration.form import overrides
from tests.unit.orchestration.test_form import filled


def run(person: str | None, conf: dict[str, Any] | None = None) -> SimpleNamespace:
    """Give what a task sees of its DAG run."""
    return SimpleNamespace(
        dag_id="model_refresh__churn", run_id="scheduled__1", triggering_user_name=person, conf=conf
    )


@pytest.mark.parametrize(
    ("person", "said"),
    [
        (None, "the schedule of model_refresh__churn (run scheduled__1)"),
        ("ada", "ada, through model_refresh__churn (run scheduled__1)"),
    ],
)
def test_a_rollout_of_a_refresh_names_the_refresh_and_its_run(person: str | None, said: str) -> None:
    conf = {ASKED_BY: asking(run(person))}
    assert who_asked(run(None, conf)) == said
    assert overrides(filled(**conf)) == {}


def test_nobody_can_ask_in_somebody_elses_name() -> None:
    assert who_asked(run("mallory", {ASKED_BY: "ada"})) == "mallory"


@pytest.mark.parametrize("conf", [None, {}, {ASKED_BY: ""}])
def test_a_run_that_nobody_is_known_to_have_triggered_is_a_schedules(conf: dict[str, Any] | None) -> None:
    assert who_asked(run(None, conf)) == "a schedule"
