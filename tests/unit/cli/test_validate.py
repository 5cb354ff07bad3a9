"""`validate`: for a person and for CI, without AWS."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from include.cli.__main__ import main


def test_the_specs_of_this_project_are_valid(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate"]) == 0
    assert "churn_healthy: valid" in capsys.readouterr().out


def test_five_mistakes_are_all_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(
        "endpoint: {name: 'no no'}\ncandidate: {instance_count: 0}\nsampling: 2\nwindow: {length: 65}\ntypo: 1\nside_effect_free: true\n"
    )
    assert main(["validate", str(file)]) == 1
    out = capsys.readouterr().out
    assert "5 mistakes" in out
    for word in ("endpoint.name", "instance_count", "sampling", "length is 65", "typo"):
        assert word in out


@pytest.mark.parametrize("text", ["a: [", "- 1\n", ""])
def test_what_is_not_a_spec_file_is_said_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    file = tmp_path / "odd.yaml"
    file.write_text(text)
    assert main(["validate", str(file)]) == 1
    assert "one mistake" in capsys.readouterr().out


def test_an_unknown_name_lists_the_specs_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "nothing"]) == 1
    assert "churn_healthy" in capsys.readouterr().out


def test_the_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "RolloutSpec"


def test_a_command_that_needs_a_ledger_says_how_to_name_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PENUMBRA_LEDGER", raising=False)
    assert main(["status"]) == 2
    assert "--ledger" in capsys.readouterr().err


def test_a_ledger_in_s3_without_a_region_is_said_in_a_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    assert main(["status", "--ledger", "s3://bucket/prefix"]) == 2
    assert "no region; name one" in capsys.readouterr().err


def test_what_sagemakers_own_promote_loses_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "handed.yaml"
    file.write_text(
        "endpoint: {name: e}\nside_effect_free: true\ncandidate: {image: other}\nstrategy: managed\n"
        "promotion: {by: sagemaker}\n"
    )
    assert main(["validate", str(file)]) == 0
    assert "WARNING: promotion.by is sagemaker" in capsys.readouterr().out
