"""Hundreds of races for one endpoint, from other starts than the short form's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from include.rollout.verdict import End
from tests.integration.rollouts.conftest import local_cloud
from tests.integration.rollouts.racing import race


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_races_end_right_whoever_wins(tmp_path: Path, sliced: Callable[[range], list[int]]) -> None:
    with local_cloud(tmp_path / "cloud") as url:
        ends = set().union(*(race(url, tmp_path, seed) for seed in sliced(range(1000, 1300))))
    assert {End.REFUSED, End.FOREIGN_CHANGE} <= ends, "the stranger never came in time to be met"
