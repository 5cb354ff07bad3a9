"""`replay`: what the options ask for, in the words of the options."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from include.cli import replay
from include.cli.__main__ import main
from include.rollout.errors import SpecError
from include.rollout.replay import RedactionRule, ReplaySection


def asked(*options: str) -> ReplaySection:
    parser = argparse.ArgumentParser()
    replay.arguments(parser)
    return replay.section_of(parser.parse_args(["--endpoint", "churn", "--source", "x.csv", *options]))


def problems(*options: str) -> tuple[str, ...]:
    with pytest.raises(SpecError) as raised:
        asked(*options)
    return raised.value.problems


def test_a_source_and_a_rate_send_every_row_once() -> None:
    assert asked("--rate", "50") == ReplaySection(source="x.csv", rate=50, passes=1)


@pytest.mark.parametrize("end", [("--count", "9"), ("--duration", "9")])
def test_another_end_lets_the_source_begin_again(end: tuple[str, str]) -> None:
    assert asked("--rate", "50", *end).passes is None


def test_a_recording_needs_no_rate() -> None:
    section = asked("--kind", "captures", "--pacer", "recorded", "--speed", "2", "--longest-gap", "5")
    assert (section.pacer, section.speed, section.longest_gap) == ("recorded", 2, 5)


def test_redactions_are_columns_or_paths() -> None:
    section = asked("--rate", "1", "--redact", "hash:3", "--redact", "mask:$.a[*].b")
    assert section.redaction is not None
    assert section.redaction.rules == (
        RedactionRule(action="hash", column=3),
        RedactionRule(action="mask", path="$.a[*].b"),
    )


def test_every_mistake_is_named_by_its_option() -> None:
    found = problems("--rate", "fast", "--seed", "-1", "--in-flight", "0", "--header", "--kind", "files")
    for option in ("--rate", "--seed", "--in-flight"):
        assert sum(problem.startswith(f"{option} is ") for problem in found) == 1, option
    assert any(problem.startswith("header is true and kind is files") for problem in found)
    assert problems() == ("--rate is missing; it must be given",)
    assert problems("--rate", "0", "--redact", "hide", "--redact", "drop:a.b")[0].startswith(
        "--redact is 'hide'; write it like"
    )
    assert len(problems("--rate", "0", "--redact", "hide", "--redact", "drop:a.b")) == 3


def test_a_source_that_is_not_there_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.chdir(tmp_path)
    options = ["--endpoint", "churn", "--source", "x.csv", "--rate", "5", "--region", "eu-west-1"]
    assert main(["replay", *options, "--endpoint-url", "http://127.0.0.1:1"]) == 2
    assert "x.csv does not exist" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_region_that_nobody_named_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    assert main(["replay", "--endpoint", "churn", "--source", "x.csv", "--rate", "5"]) == 2
    assert "region" in capsys.readouterr().err


def test_the_help_explains_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["replay", "--help"])
    assert raised.value.code == 0
    out = capsys.readouterr().out
    for word in ("--pacer poisson|constant|ramp|recorded", "examples:", "Ctrl-C", "what is kept"):
        assert word in out
