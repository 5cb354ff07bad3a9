"""Whatever call a rollout dies beside, the endpoint ends right. The full matrix is in tests/soak/crashes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from include.rollout.spec import Strategy
from tests.integration.rollouts.conftest import local_cloud
from tests.integration.rollouts.crashing import CLOCK, Care, Point, survive_all
from tests.integration.rollouts.mortal import Kill, Way

SELF_SERVICE = Strategy.SELF_SERVICE


@pytest.fixture(scope="module")
def quick_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with local_cloud(tmp_path_factory.mktemp("cloud"), "--clock-scale", str(CLOCK)) as url:
        yield url


def before(way: Way, call: int, operation: str, care: Care, strategy: Strategy = SELF_SERVICE) -> Point:
    kill = Kill(call=call, after=False)
    return Point(way=way, operation=operation, kill=kill, care=care, strategy=strategy)


def after(way: Way, call: int, operation: str, care: Care, strategy: Strategy = SELF_SERVICE) -> Point:
    kill = Kill(call=call, after=True)
    return Point(way=way, operation=operation, kill=kill, care=care, strategy=strategy)


@pytest.mark.timeout(1200)
def test_a_rollout_killed_beside_any_call_leaves_the_endpoint_right(quick_cloud: str, tmp_path: Path) -> None:
    points = [
        after(Way.PROMOTE, 1, "CreateModelPackage", Care.JANITOR),  # nobody noted what was registered
        after(Way.MARK_FAILED, 4, "UpdateEndpoint", Care.JANITOR),  # the shadow is on its way
        before(Way.PROMOTE, 5, "UpdateEndpoint", Care.AGAIN),  # decided, and nothing done about it
        after(Way.PROMOTE, 5, "UpdateEndpoint", Care.FOREIGN),
        before(Way.PROMOTE, 7, "UpdateEndpoint", Care.JANITOR),  # without a shadow, not yet promoted
        after(Way.PROMOTE, 8, "DeleteEndpointConfig", Care.JANITOR),  # settling a promotion
        after(Way.PROMOTE, 11, "UpdateModelPackage", Care.FOREIGN),  # approved, and then not ours any more
        after(
            Way.SCALED, 5, "RegisterScalableTarget", Care.JANITOR
        ),  # the shadow scales, and nobody noted it
        after(Way.SCALED, 7, "DeregisterScalableTarget", Care.AGAIN),
        before(Way.TAKEN_BACK, 8, "UpdateEndpoint", Care.AGAIN),  # promoted, and about to be taken back
        after(Way.ROLL_BACK, 4, "StopInferenceExperiment", Care.AGAIN, Strategy.MANAGED),
        after(Way.HANDED_OVER, 6, "DeregisterScalableTarget", Care.JANITOR, Strategy.MANAGED),  # production's
        after(Way.HANDED_OVER, 7, "StopInferenceExperiment", Care.AGAIN, Strategy.MANAGED),
    ]
    assert survive_all(quick_cloud, tmp_path, points, workers=4) == []
