"""A reset removes a local cloud's state and nothing else."""

import pytest

from include.localcloud.reset import ForeignFolderError, reset
from include.localcloud.state import StateInUseError, claim


@pytest.fixture
def state(tmp_path):
    claim(tmp_path).close()
    for name in ("s3", "sagemaker", "metrics"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "record").write_text("x")
    (tmp_path / "clock.json").write_text("{}")
    return tmp_path


def test_everything_but_the_lock_goes(state):
    reset(state)
    assert [entry.name for entry in state.iterdir()] == ["lock"]
    claim(state).close()


def test_a_folder_in_use_stays(state):
    lock = claim(state)
    with pytest.raises(StateInUseError):
        reset(state)
    lock.close()
    assert (state / "s3" / "record").exists()


def test_somebodys_own_folder_stays(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ForeignFolderError, match="no lock and no s3 and no sagemaker"):
        reset(tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_a_folder_that_is_not_there_or_empty_is_as_good(tmp_path):
    reset(tmp_path / "none")
    reset(tmp_path)
    assert list(tmp_path.iterdir()) == []
