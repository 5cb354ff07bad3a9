"""Whatever storm a rollout goes through, its verdict is right or INCONCLUSIVE, and its endpoint ends right.

Combinations are in tests/soak/storms.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from include.rollout.verdict import Conclusion, End
from tests.integration.rollouts.conftest import local_cloud
from tests.integration.rollouts.storming import SCALE, Step, Storm, failing, weather_all

STORMS = [
    Storm(
        name="AWS is throttling and S3 errs",
        faults={
            Step.REGISTER: [failing("CreateModelPackage", 1), failing("PutObject", 2, "SlowDown", 503)],
            Step.DEPLOY: [failing("UpdateEndpoint", 2), failing("CreateEndpointConfig", 1)],
            Step.WATCH: [failing("GetObject", 2, "InternalError", 500)],
            Step.ACT: [failing("UpdateEndpoint", 2), failing("DescribeEndpoint", 1)],
            Step.SETTLE: [
                failing("DeleteEndpointConfig", 1),
                failing("ListObjectsV2", 1, "InternalError", 500),
            ],
        },
        said=Conclusion.PROMOTE,
        ends=frozenset({End.PROMOTED}),
    ),
    Storm(
        name="there is no capacity for the shadow",
        faults={Step.DEPLOY: [{"capacity": 1}]},
        ends=frozenset({End.CRASHED}),
    ),
    Storm(
        name="there is no capacity for the promotion",
        faults={Step.ACT: [{"capacity": 1}]},
        said=Conclusion.PROMOTE,
        ends=frozenset({End.CRASHED}),
    ),
    Storm(
        name="there is no capacity for the way back until everybody gave up",
        faults={Step.ACT: [{"capacity": 2}]},
        said=Conclusion.REMOVE,
        ends=frozenset({End.CRASHED}),
    ),
    Storm(
        name="metrics are five minutes late, and the candidate is bad",
        faults={Step.WATCH: [{"metrics": "delay", "seconds": 300}]},
        good=False,
        ends=frozenset({End.INCONCLUSIVE, End.ROLLED_BACK}),
    ),
]


@pytest.fixture(scope="module")
def quick_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with local_cloud(tmp_path_factory.mktemp("cloud"), "--clock-scale", str(SCALE)) as url:
        yield url


@pytest.mark.timeout(600)
def test_no_storm_makes_a_verdict_wrong_or_leaves_an_endpoint_wrong(quick_cloud: str, tmp_path: Path) -> None:
    assert weather_all(quick_cloud, tmp_path, STORMS, workers=5) == []
