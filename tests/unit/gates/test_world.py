"""Whole windows of a simulated endpoint, judged as a rollout judges them (the short form of the full matrix)."""

from dataclasses import replace

import numpy as np
import pytest

from include.gates.look import look_at
from include.gates.reading import Reading
from include.gates.rules import assess
from include.gates.table import Table
from include.rollout.gate import (
    CompletenessGate,
    ErrorRateGate,
    ErrorThresholdGate,
    GatePolicy,
    LatencyGate,
    MinSampleGate,
)
from include.rollout.verdict import Verdict, fold
from tests.unit.gates.world import World, window

# The demonstration's window: eight periods of ten seconds, 60 requests a second.
SHORT = World(
    periods=8, period=10, rate=60, sampling=0.5, median_us=12_000, request_sd=0.2, call_sd=0.1, slow_share=0,
    shared_sd=0.02, diurnal=0, burst_share=0, jitter_sd=0.02, jitter_memory=0.3, offset_sd=0.01, load_swing=0,
    error_rate=0, margin=0.2, history=2,
)  # fmt: skip
SHORT_POLICY = GatePolicy(
    rules=(
        CompletenessGate(),
        MinSampleGate(requests=2000),
        ErrorRateGate(absolute=0.005),
        ErrorThresholdGate(limit=0.01),
        LatencyGate(quantile="p50", margin=0.2, block=10),
        LatencyGate(quantile="p90", margin=0.2, block=10),
    )
)
HOUR = World()
HOUR_POLICY = GatePolicy(
    rules=(CompletenessGate(), ErrorRateGate(), *(LatencyGate(quantile=q) for q in ("p50", "p90", "p99")))
)


def verdicts(world, policy, *, runs, seed):
    """Return the verdict of each window and the period of each abort, looking after every period."""
    rng = np.random.default_rng(seed)
    found, aborted = [], []
    for _ in range(runs):
        table = Table.of(window(world, rng))
        seen = look_at(table, policy, readings=False)
        if seen.aborts:
            found.append(Verdict.ROLL_BACK)
            aborted.append(seen.crossed_after)
        else:
            found.append(fold([assess(rule, table, Reading(number=1)) for rule in policy.rules]))
    return [found.count(verdict) / runs for verdict in (Verdict.PROMOTE, Verdict.ROLL_BACK)], aborted


def test_a_healthy_candidate_passes_the_short_window():
    (promoted, rolled_back), _ = verdicts(SHORT, SHORT_POLICY, runs=100, seed=70)
    assert rolled_back == 0
    assert promoted >= 0.97


@pytest.mark.parametrize("change", [{"ratio": 1.4}, {"shadow_error_rate": 0.02}], ids=["slower", "failing"])
def test_a_bad_candidate_is_rolled_back_within_the_short_window(change):
    (promoted, rolled_back), _ = verdicts(replace(SHORT, **change), SHORT_POLICY, runs=100, seed=71)
    assert promoted == 0
    assert rolled_back >= 0.99


def test_equal_variants_are_not_rolled_back_within_an_hour():
    (promoted, rolled_back), _ = verdicts(HOUR, HOUR_POLICY, runs=40, seed=72)
    assert rolled_back == 0
    assert promoted >= 0.6


def test_a_quarter_more_latency_is_found_within_minutes():
    (promoted, rolled_back), aborted = verdicts(replace(HOUR, ratio=1.25), HOUR_POLICY, runs=20, seed=73)
    assert promoted == 0
    assert rolled_back == 1
    assert np.median(aborted) <= 5


def test_fivefold_errors_are_found_and_never_promoted():
    world = replace(HOUR, shadow_error_rate=0.005)
    (promoted, rolled_back), aborted = verdicts(world, HOUR_POLICY, runs=20, seed=74)
    assert promoted == 0
    assert rolled_back >= 0.95
    assert np.median(aborted) <= 12
