from pathlib import Path

import pytest

from quickstart import layout
from quickstart.layout import Layout


def test_everything_a_run_writes_lies_under_its_home(tmp_path):
    where = Layout(home=tmp_path)
    written = (where.airflow, where.cloud, where.logs, where.processes, where.lock, where.address)
    assert all(path.is_relative_to(tmp_path) for path in written)
    assert len(set(written)) == len(written)


def test_the_demonstration_and_the_project_that_stays_do_not_share_a_home():
    assert layout.demo().home != layout.local().home
    assert layout.demo().samples == layout.local().samples


def test_the_run_folder_is_ignored_by_git():
    assert Path(__file__).resolve().parents[3] == layout.PROJECT
    assert "/.run/" in (layout.PROJECT / ".gitignore").read_text().splitlines()


def test_a_home_is_absolute():
    with pytest.raises(ValueError, match="absolute"):
        Layout(home=Path("relative"))
