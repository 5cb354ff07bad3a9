"""What the evidence of A/A rollouts teaches, and that gates use it."""

from dataclasses import replace

import pytest

from include.gates.calibration import calibration_of
from include.gates.latency import latency
from include.gates.reading import Reading
from include.gates.table import Table
from include.rollout.gate import LatencyGate
from include.stats.calibration import pooled
from tests.soak.world.endpoint import World, windows

A_WORLD = World()


@pytest.mark.parametrize(
    ("jitter", "memory", "change"),
    [(0.03, 0.6, {}), (0.1, 0.8, {"rate": 5.0}), (0.03, 0.6, {"missing": 0.1})],
)
def test_a_few_rollouts_of_equal_variants_teach_their_jitter(jitter, memory, change):
    world = replace(A_WORLD, jitter_sd=jitter, jitter_memory=memory, **change)
    found = pooled(
        [calibration_of(e, rollout_id=str(i)) for i, e in enumerate(windows(world, seed=36, runs=12))]
    )
    assert found.jitter_sd == pytest.approx(jitter, rel=0.25)
    assert found.jitter_sd * found.memory**0.5 == pytest.approx(
        jitter * ((1 + memory) / (1 - memory)) ** 0.5, rel=0.35
    )
    assert 0.01 < found.offset_sd < 0.04


def test_evidence_without_common_periods_teaches_nothing(measured):
    for evidence in (measured([], []), measured([600] * 60, [None] * 60), measured([600] * 60, [300] * 60)):
        assert calibration_of(evidence, rollout_id="a") is None


def test_a_finding_names_the_calibration_it_used():
    first, second = windows(A_WORLD, seed=37, runs=2)
    noise = pooled([calibration_of(first, rollout_id="a")])
    finding = latency(LatencyGate(quantile="p50"), Table.of(second), Reading(number=1), noise)
    assert finding.details["noise"] == noise.source
    assert "1 A/A rollout over 60 periods" in noise.source
