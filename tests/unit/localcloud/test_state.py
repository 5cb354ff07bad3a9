"""Tables are on disk at once, whatever their names, and one process has a state folder."""

import os
from pathlib import Path

import pytest

from include.localcloud.state import StateInUseError, Table, claim


def test_a_record_is_on_disk_when_the_assignment_returns(tmp_path: Path) -> None:
    table = Table(tmp_path)
    for name in ("plain", "arn:aws:x:model-package/g/1", "ünï/../code", "."):
        table[name] = {"Name": name, "Deep": [{"a": 1.5}]}
    again = Table(tmp_path)
    assert dict(again) == dict(table)
    del again["plain"]
    assert "plain" not in Table(tmp_path)
    assert {file.parent for file in tmp_path.rglob("*")} == {tmp_path}


def test_a_write_cut_short_leaves_the_old_record(tmp_path: Path) -> None:
    table = Table(tmp_path)
    table["a"] = {"n": 1}
    (tmp_path / "a.partial").write_text('{"n": 2')
    assert Table(tmp_path)["a"] == {"n": 1}


def test_a_second_process_is_told_who_has_the_folder(tmp_path: Path) -> None:
    lock = claim(tmp_path)
    with pytest.raises(StateInUseError, match=f"in use by process {os.getpid()}"):
        claim(tmp_path)
    lock.close()
    claim(tmp_path).close()


@pytest.mark.parametrize(
    "name", ["x" * 255, "é" * 120, "a b/" * 64, "~" * 3], ids=["long", "accents", "spaces", "tilde"]
)
def test_names_longer_than_a_files_may_be_are_kept_whole(tmp_path: Path, name: str) -> None:
    table = Table(tmp_path)
    table[name] = {"n": 1}
    table[name[:-1] + "!"] = {"n": 2}
    again = Table(tmp_path)
    assert dict(again) == {name: {"n": 1}, name[:-1] + "!": {"n": 2}}
    del again[name]
    assert list(Table(tmp_path)) == [name[:-1] + "!"]
