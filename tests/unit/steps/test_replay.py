"""When a replay asks whether it is to stop: the ledger often, Airflow seldom."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from include.steps import replay


def test_the_ledger_is_asked_several_times_for_each_time_that_airflow_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert replay._ASK_EVERY <= 0.4
    assert replay._ASK_EVERY * replay._ASK_AIRFLOW >= 1.0
    monkeypatch.setattr(replay, "_ASK_EVERY", 0.001)
    asked: list[str] = []

    def read(key: str) -> dict[str, Any] | None:
        asked.append("ledger")
        return {"closed": "end"} if asked.count("ledger") > 3 * replay._ASK_AIRFLOW else None

    def unwatched() -> bool:
        asked.append("airflow")
        return False

    rollout: Any = SimpleNamespace(ledger=SimpleNamespace(read=read))
    with replay._stop(rollout, unwatched) as stopped:
        assert stopped.wait(60)
    turn = ["ledger"] * replay._ASK_AIRFLOW + ["airflow"]
    assert asked == [*turn * 3, "ledger"]


def test_a_window_that_nobody_watches_ends_the_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "_ASK_EVERY", 0.001)
    rollout: Any = SimpleNamespace(ledger=SimpleNamespace(read=lambda key: None))
    with replay._stop(rollout, lambda: True) as stopped:
        assert stopped.wait(60)
