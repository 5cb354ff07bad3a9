"""What the program says about a command line that cannot be."""

import asyncio
from pathlib import Path

import pytest

from include.localcloud.__main__ import arguments, serve


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--port", "65536", "65536 is no port; it must be a number from 0 to 65535"),
        ("--port", "http", "http is no port"),
        ("--clock-scale", "fast", "fast is no scale; it must be above 0 and at most 1000000"),
        ("--clock-scale", "0", "0 is no scale"),
        ("--clock-scale", "nan", "nan is no scale"),
    ],
)
def test_an_impossible_option_is_told_in_a_sentence(
    capsys: pytest.CaptureFixture[str], option: str, value: str, said: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        arguments(["--state", "state", option, value])
    assert said in capsys.readouterr().err


def test_a_state_folder_that_is_a_file_is_told_in_a_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    assert asyncio.run(serve(arguments(["--state", str(tmp_path / "file"), "--port", "0"]))) == 2
    assert "cannot be used: File exists; choose another with --state" in capsys.readouterr().err
