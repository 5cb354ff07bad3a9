"""Stored rollouts, judged again: the same policy finds the same, another one says who would have changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.cli.__main__ import main
from include.rollout.verdict import Verdict
from tests.integration.rollouts.conftest import Drive, document

Make = Callable[..., Drive]


def test_a_rollout_gives_its_findings_again_and_another_policy_may_differ(
    drive: Make, endpoint: str, source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = str(tmp_path / "ledger")
    spec = document(endpoint, source, window={"length": 20, "maximum": 20})
    run = drive(spec)
    run.location = ledger
    run.begin()
    assert run.watch() is Verdict.PROMOTE
    run.finish()

    def backtest(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
        status = main(["backtest", "--ledger", ledger, "--json", *arguments])
        return status, json.loads(capsys.readouterr().out)

    status, (own,) = backtest()
    assert (status, own["then"], own["now"]) == (0, "PROMOTE", "PROMOTE")
    assert own["same_evidence"]
    assert own["same_findings"]

    stricter = tmp_path / "stricter.yaml"
    rules = [*spec["gates"]["rules"], {"kind": "min_sample", "requests": 1_000_000}]
    stricter.write_text(yaml.safe_dump({**spec, "gates": {"rules": rules[:1] + rules[2:]}}))
    status, (other,) = backtest("--gates", str(stricter), run.rollout.id)
    assert (status, other["then"], other["now"]) == (0, "PROMOTE", "INCONCLUSIVE")
    assert other["gate"] == "min_sample"

    _tamper(Path(ledger), run.rollout.id)
    status, (tampered,) = backtest()
    assert status == 1
    assert not tampered["same_evidence"]


def _tamper(ledger: Path, rollout: str) -> None:
    """Change one number of the stored evidence, as somebody who wants another verdict would."""
    file = next(path for path in (ledger / "rollouts" / rollout).rglob("*") if path.parent.name == "evidence")
    stored = json.loads(file.read_text())
    stored["shadow"][0]["invocations"] += 1
    file.write_text(json.dumps(stored))


def test_an_unknown_rollout_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backtest", "--ledger", str(tmp_path), "aaaaaaaaaaaa"]) == 2
    assert "no rollout aaaaaaaaaaaa is in" in capsys.readouterr().err
