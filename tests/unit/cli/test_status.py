"""The command that lists rollouts."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.cli.__main__ import main


def test_a_ledger_without_rollouts_is_said_to_have_none(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["status", "--ledger", str(tmp_path)]) == 0
    assert f"no rollout is recorded in {tmp_path} yet" in capsys.readouterr().out
