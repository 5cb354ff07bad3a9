"""Storms of one kind, and combinations of many: hundreds of seeds, at moments that nobody chose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from include.rollout.verdict import Conclusion, End
from tests.integration.rollouts.conftest import local_cloud
from tests.integration.rollouts.storming import CANARY, SCALE, Step, Storm, some_storm, weather_all

NAMED = [
    Storm(
        name="alarms ring during the bake",
        faults={Step.ACT: [{"errors": 1.0, "variant": "production"}]},
        said=Conclusion.PROMOTE,
        guardrails=CANARY,
        ends=frozenset({End.ROLLED_BACK}),
    ),
    Storm(
        name="metrics are five minutes late",
        faults={Step.WATCH: [{"metrics": "delay", "seconds": 300}]},
        ends=frozenset({End.INCONCLUSIVE}),
    ),
    Storm(
        name="metrics stay away",
        faults={Step.DEPLOY: [{"metrics": "drop"}]},
        ends=frozenset({End.INCONCLUSIVE}),
    ),
    Storm(
        name="half of the periods stay away",
        faults={Step.DEPLOY: [{"metrics": "gaps", "share": 0.5}]},
        ends=frozenset({End.INCONCLUSIVE}),
    ),
]
SEEDS = range(300)


@pytest.fixture
def quick_cloud(tmp_path: Path) -> Iterator[str]:
    with local_cloud(tmp_path / "cloud", "--clock-scale", str(SCALE)) as url:
        yield url


@pytest.mark.soak
@pytest.mark.timeout(14400)
def test_no_storm_makes_a_verdict_wrong_or_leaves_an_endpoint_wrong(
    quick_cloud: str, tmp_path: Path, sliced: Callable[[list[Storm]], list[Storm]]
) -> None:
    storms = sliced([*NAMED, *map(some_storm, SEEDS)])
    assert weather_all(quick_cloud, tmp_path, storms, workers=4) == []
