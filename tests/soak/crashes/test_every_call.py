"""The crash matrix over every mutating call of every way that a rollout goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from include.rollout.spec import Strategy
from tests.integration.rollouts.conftest import local_cloud
from tests.integration.rollouts.crashing import CLOCK, Point, every_point, recorded, survive_all


@pytest.fixture
def quick_cloud(tmp_path: Path) -> Iterator[str]:
    with local_cloud(tmp_path / "cloud", "--clock-scale", str(CLOCK)) as url:
        yield url


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(("strategy", "least"), [(Strategy.SELF_SERVICE, 200), (Strategy.MANAGED, 100)])
def test_a_rollout_may_die_beside_every_call(
    quick_cloud: str,
    tmp_path: Path,
    sliced: Callable[[list[Point]], list[Point]],
    strategy: Strategy,
    least: int,
) -> None:
    points = every_point(recorded(quick_cloud, tmp_path, strategy, workers=4), strategy)
    assert len(points) >= least
    assert survive_all(quick_cloud, tmp_path, sliced(points), workers=4) == []
