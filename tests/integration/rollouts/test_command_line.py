"""The command line beside a rollout: what it plans, who it lets conclude, and what it shows, on a real local cloud."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.aws.clients import Clients
from include.cli.__main__ import main
from include.ledger.calibrations import Calibrations
from include.ledger.store import Store
from include.rollout.verdict import End
from include.stats.calibration import Calibration
from include.steps.observe import Closed, observe
from include.steps.settle import settle
from tests.integration.rollouts.conftest import REGION, Drive, document

Make = Callable[..., Drive]
Ask = Callable[..., int]


@pytest.fixture
def ask(cloud_url: str, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Give the command line, pointed to the local cloud as a person would point it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")

    def run(*arguments: str) -> int:
        return main([*arguments, "--endpoint-url", cloud_url, "--region", REGION])

    return run


@pytest.fixture
def spec(endpoint: str, source: str, tmp_path: Path) -> str:
    """Give a spec file of a rollout on the test's endpoint."""
    file = tmp_path / "asked.yaml"
    file.write_text(yaml.safe_dump(document(endpoint, source)))
    return str(file)


def test_plan_says_what_will_change_and_that_the_window_can_decide(
    ask: Ask, spec: str, endpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask("plan", spec) == 0
    said = capsys.readouterr().out
    assert f"plan for endpoint {endpoint}" in said
    assert "a shadow variant" in said
    assert "this window can decide" in said
    assert ask("plan", spec, "--json") == 0
    assert json.loads(capsys.readouterr().out)["refusal"] is None


def test_a_window_that_cannot_decide_is_refused_and_the_one_that_is_named_can(
    ask: Ask, spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def plan(**window: int) -> tuple[int, str]:
        changed = {"replay": {"rate": 20}, "window": window}
        return ask("plan", spec, "--overrides", json.dumps(changed)), capsys.readouterr().out

    status, said = plan(length=10, maximum=10)
    assert status == 1
    named = re.search(r"REFUSED: window.maximum is 10 s, .* to (\d+) s or more", said)
    assert named, said
    seconds = int(named[1])
    assert plan(length=seconds, maximum=seconds)[0] == 0


def test_plan_goes_by_the_noise_that_the_ledger_knows(
    ask: Ask, clients: Clients, endpoint: str, source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As opening the rollout does; without a ledger it can only assume."""
    rules = [{"kind": "completeness"}, {"kind": "latency", "quantile": "p50", "margin": 0.2, "block": 10}]
    file, ledger = tmp_path / "slow.yaml", tmp_path / "ledger"
    file.write_text(yaml.safe_dump(document(endpoint, source, gates={"rules": rules})))
    known = Calibrations(
        Store(str(ledger)), account=clients.account, region=clients.region, endpoint=endpoint
    )
    for day in range(1, 21):
        at = datetime(2026, 3, day, tzinfo=UTC)
        offset = 0.3 if day % 2 else -0.3
        taught = Calibration(
            rollout_id=f"r{day}", periods=60, frequencies=(1.0, 2.0), powers=(1e-4, 1e-4), ordinates=(15, 15),
            sampling=1e-5, mean=offset,
        )  # fmt: skip
        known.add(f"r{day}", taught.to_document(), at=at)
    assert "noise assumed, not measured" in _planned(ask, capsys, str(file))
    assert "finer than the noise of this endpoint (measured in 20 A/A rollouts" in _planned(
        ask, capsys, str(file), "--ledger", str(ledger)
    )


def _planned(ask: Ask, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    ask("plan", *arguments)
    return capsys.readouterr().out


def test_a_person_concludes_a_rollout_with_who_and_why(
    ask: Ask, drive: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    run = drive()
    run.begin()
    identity, ledger = run.rollout.id, ("--ledger", run.location)
    assert ask("conclude", identity, "promote", "--why", "I like it", *ledger) == 2
    assert "does not let a person override its gates" in capsys.readouterr().err
    edit = ("conclude", identity, "edit", "--why", "too much", *ledger, "--sampling", "0.5")
    assert ask(*edit) == 2
    assert "has strategy self_service" in capsys.readouterr().err
    assert ask(*edit, "--end", "tomorrow") == 2
    assert "end is 'tomorrow'; give a moment in ISO 8601" in capsys.readouterr().err
    assert ask("conclude", "aaaaaaaaaaaa", "remove", "--why", "a guess", *ledger) == 2
    assert "no rollout aaaaaaaaaaaa is in" in capsys.readouterr().err
    assert ask("conclude", identity, "remove", "--who", "Ada", "--why", "it is Friday", *ledger) == 0
    found = observe(run.rollout)
    assert (found.closed, found.lines) == (Closed.CONCLUDED, ("Ada asked to remove: it is Friday",))
    run.step(settle)


def test_status_lists_rollouts_and_shows_one_whole(
    ask: Ask, drive: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    run = drive()
    run.open()
    identity, ledger = run.rollout.id, ("--ledger", run.location)

    def listed() -> str:
        assert ask("status", *ledger) == 0
        return next(line for line in capsys.readouterr().out.splitlines() if identity in line)

    assert "running" in listed()
    assert run.step(settle) is End.CRASHED
    assert "CRASHED" in listed()
    assert ask("status", identity, *ledger) == 0
    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (shown["rollout"], shown["end"]) == (identity, "CRASHED")
    assert ask("status", "aaaaaaaaaaaa", *ledger) == 2
