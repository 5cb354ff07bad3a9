"""Saturation passes only where room is shown to be left at all the requests the candidate would get."""

from dataclasses import replace

import numpy as np
import pytest

from include.gates.reading import Reading
from include.gates.rules import assess
from include.gates.table import Table
from include.rollout.fleet import Fleet
from include.rollout.gate import Outcome
from include.rollout.operating import SaturationGate
from tests.unit.gates.operated import ALIKE, ONE, used

RNG = np.random.default_rng(31)
GATE = SaturationGate(limit=80, block=50)


def around(level, n=60, sd=4.0):
    return RNG.normal(level, sd, n).tolist()


def found(evidence, gate=GATE, *, reading=1):
    return assess(gate, Table.of(evidence), Reading(number=reading))


def test_cpu_is_told_in_percent_of_all_cores():
    """CloudWatch says 100 % a core, and an ml.m5.large has two."""
    finding = found(used(around(100)))
    assert finding.outcome is Outcome.PASS
    assert finding.effect == pytest.approx(50, abs=1)
    assert finding.low < finding.effect < finding.high < 80
    assert "% of an instance" in finding.reason


def test_instances_that_are_busy_all_the_time_fail():
    finding = found(used(around(190)))
    assert finding.outcome is Outcome.FAIL
    assert finding.low > 80


def test_use_at_the_limit_is_neither():
    assert found(used(around(160))).outcome is Outcome.INCONCLUSIVE


def test_half_of_the_requests_count_as_all_of_them():
    finding = found(used(around(100), sampling=0.5))
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert finding.effect == pytest.approx(100, abs=2)
    assert "2.00 times as many requests" in finding.reason


def test_requests_are_counted_by_the_instances_that_promotion_leaves():
    two = replace(ONE, count=2)
    assert found(used(around(100), fleets={**ALIKE, "shadow": two})).details["load"] == 2
    assert found(used(around(100), fleets={**ALIKE, "promoted": two})).details["load"] == 1


def test_a_shadow_that_is_only_busy_at_more_requests_is_not_failed_by_a_projection():
    assert found(used(around(120), sampling=0.25)).outcome is Outcome.INCONCLUSIVE


def test_memory_is_taken_as_it_is():
    finding = found(
        used(around(50), metric="MemoryUtilization", sampling=0.5), replace_metric("MemoryUtilization")
    )
    assert finding.outcome is Outcome.PASS
    assert finding.effect == pytest.approx(50, abs=1)


def test_memory_that_leaks_is_not_passed():
    values = (np.linspace(20, 40, 60) + RNG.normal(0, 0.5, 60)).tolist()  # two points a minute
    finding = found(used(values, metric="MemoryUtilization"), replace_metric("MemoryUtilization"))
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "reaches the limit in a day" in finding.reason


def test_a_disk_that_does_not_change_is_no_doubt_and_a_cpu_is():
    disk = replace_metric("DiskUtilization")
    assert found(used([12.5] * 60, metric="DiskUtilization"), disk).outcome is Outcome.PASS
    stuck = found(used([12.5] * 60))
    assert stuck.outcome is Outcome.INCONCLUSIVE
    assert "stuck" in stuck.reason


def test_peaks_beyond_the_limit_do_not_pass():
    values = [40.0 if i % 10 else 180.0 + i / 100 for i in range(60)]
    finding = found(used(values))
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "peaks" in finding.reason


def test_use_is_held_against_productions_where_a_margin_is_given():
    gate = SaturationGate(limit=80, margin=0.15, block=50)
    assert found(used(around(60), around(60)), gate).outcome is Outcome.PASS
    worse = found(used(around(100), around(60)), gate)
    assert worse.outcome is Outcome.FAIL
    assert "1.150x production's is allowed" in worse.reason
    assert found(used(around(60)), gate).outcome is Outcome.INCONCLUSIVE
    told = found(used(around(100), around(60)))
    assert told.outcome is Outcome.PASS
    assert told.details["ratio"]["mean"] == pytest.approx(1.67, abs=0.1)


@pytest.mark.parametrize(
    ("evidence", "gate", "words"),
    [
        (used([100.0, *[None] * 5] * 10), GATE, "measured in 10 of 60"),
        (used(around(100, n=1)), GATE, "fewer than two blocks"),
        (used(around(100), fleets={}), GATE, "is not known"),
        (used(around(100), fleets={**ALIKE, "shadow": Fleet(instance_type="odd", count=1)}), GATE, "odd has is not known"),
        (used(around(50), metric="GPUUtilization"), SaturationGate(metric="GPUUtilization", block=50), "GPUs ml.m5.large"),
    ],
)  # fmt: skip
def test_what_cannot_carry_a_conclusion_is_inconclusive(evidence, gate, words):
    finding = found(evidence, gate)
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert words in finding.reason


def test_a_resource_that_nobody_published_is_no_data():
    gpu = SaturationGate(metric="GPUUtilization")
    finding = found(used(around(100)), gpu)
    assert finding.outcome is Outcome.NO_DATA
    assert "instances with a GPU" in finding.reason
    assert found(used([None] * 60)).outcome is Outcome.NO_DATA


def test_a_window_that_was_cut_short_passes_and_fails_nothing():
    assert found(used(around(40)), reading=0).outcome is Outcome.INCONCLUSIVE
    assert found(used(around(190)), reading=0).outcome is Outcome.INCONCLUSIVE


def test_the_errors_at_the_limit_are_kept_with_noise_that_lasts():
    """Minutes that remember (rho 0.6): blocks of 5 keep both errors together near alpha, single minutes do not."""
    rng = np.random.default_rng(32)
    runs, wrong = 250, {1: 0, 5: 0}
    for _ in range(runs):
        noise = [0.0]
        for step in rng.normal(0, 5, 119):
            noise.append(0.6 * noise[-1] + step)
        evidence = used([160 + value for value in noise])
        for block in wrong:
            finding = found(evidence, SaturationGate(limit=80, block=10 * block))
            wrong[block] += finding.low > 80 or finding.high < 80
    assert wrong[5] / runs <= 0.13  # 2 x 1.8 %, and what is left of the memory
    assert wrong[1] > 1.5 * wrong[5]


def replace_metric(metric):
    return SaturationGate(metric=metric, limit=80, block=50)
