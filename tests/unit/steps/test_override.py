"""A fixed limit that is broken counts, also where the window was cut short."""

from __future__ import annotations

from typing import Any

import pytest

from include.rollout.evidence import Evidence
from include.rollout.fleet import Fleet
from include.rollout.gate import (
    CompletenessGate,
    ErrorRateGate,
    ErrorThresholdGate,
    GatePolicy,
    LatencyThresholdGate,
)
from include.rollout.operating import CostGate, SaturationGate
from include.rollout.rule import Severity
from include.stats.calibration import PRIOR
from include.steps.override import broken_limit
from tests.unit.gates.conftest import measured
from tests.unit.gates.operated import ALIKE, used

N = 40
DEAR = {**ALIKE, "shadow": Fleet(instance_type="ml.m5.large", count=9, usd_per_hour=0.115)}
FAILING: list[tuple[Any, Evidence]] = [
    (ErrorThresholdGate(limit=0.01), measured([600] * N, [600] * N, shadow_errors=[60] * N)),
    (ErrorThresholdGate(limit=0.01, abort=False), measured([600] * N, [600] * N, shadow_errors=[60] * N)),
    (
        LatencyThresholdGate(quantile="p90", limit_ms=5),
        measured([600] * N, [600] * N, whole={"shadow": {"p90": 9000.0}}),
    ),
    (CostGate(ratio=1.5), measured([600] * N, [600] * N, fleets=DEAR)),
    (
        SaturationGate(metric="MemoryUtilization", limit=50, block=10),
        used([90.0 + i % 2 for i in range(N)], metric="MemoryUtilization"),
    ),
]


def policy(gate: Any) -> GatePolicy:
    return GatePolicy(rules=(CompletenessGate(), gate))


@pytest.mark.parametrize(("gate", "evidence"), FAILING, ids=[gate.name for gate, _ in FAILING])
def test_a_broken_limit_is_named(gate: Any, evidence: Evidence) -> None:
    found = broken_limit(evidence, policy(gate), PRIOR)
    assert found is not None
    assert found.gate == gate.name


@pytest.mark.parametrize(("gate", "evidence"), FAILING, ids=[gate.name for gate, _ in FAILING])
def test_what_only_warns_refuses_nobody(gate: Any, evidence: Evidence) -> None:
    warning = gate.model_copy(update={"severity": Severity.WARNING})
    assert broken_limit(evidence, policy(warning), PRIOR) is None


def test_limits_that_hold_and_comparisons_stand_against_nothing() -> None:
    rules = (CompletenessGate(), ErrorThresholdGate(limit=0.2), ErrorRateGate(absolute=0.001))
    evidence = measured([600] * N, [600] * N, shadow_errors=[60] * N)
    assert broken_limit(evidence, GatePolicy(rules=rules), PRIOR) is None
