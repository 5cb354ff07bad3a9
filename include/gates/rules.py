"""Which rule assesses which kind of gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from include.gates.agreement import agreement, agreement_curve
from include.gates.asked import expectation
from include.gates.completeness import completeness, min_sample
from include.gates.cost import cost
from include.gates.drift import drift
from include.gates.errors import error_rate, error_rate_curve, error_threshold, error_threshold_curve
from include.gates.latency import latency, latency_curve, latency_threshold
from include.gates.overhead import overhead
from include.gates.reading import Reading
from include.gates.saturation import saturation
from include.gates.table import Table
from include.rollout.expectation import ExpectationGate
from include.rollout.gate import (
    AgreementGate,
    CompletenessGate,
    DriftGate,
    ErrorRateGate,
    ErrorThresholdGate,
    Finding,
    Gate,
    LatencyGate,
    LatencyThresholdGate,
    MinSampleGate,
    Outcome,
)
from include.rollout.operating import CostGate, OverheadGate, SaturationGate
from include.rollout.rule import Severity
from include.stats.calibration import PRIOR, Noise

# Kinds that read the pairs; the others are not shown them.
PAIRED = (AgreementGate, DriftGate, ExpectationGate)


_RULES: Mapping[type[Any], Callable[[Any, Table, Reading], Finding]] = {
    CompletenessGate: completeness,
    MinSampleGate: min_sample,
    ErrorRateGate: error_rate,
    ErrorThresholdGate: error_threshold,
    LatencyThresholdGate: latency_threshold,
    AgreementGate: agreement,
    DriftGate: drift,
    SaturationGate: saturation,
    OverheadGate: overhead,
    CostGate: cost,
    ExpectationGate: expectation,
}


def assess(gate: Gate, table: Table, reading: Reading, noise: Noise = PRIOR) -> Finding:
    """Return the gate's finding on this evidence; an unknown kind is inconclusive, never a pass."""
    if isinstance(gate, LatencyGate):
        return latency(gate, table, reading, noise)
    rule = _RULES.get(type(gate))
    if rule is None:
        return reading.finding(gate, Outcome.INCONCLUSIVE, f"there is no rule for a gate of kind {gate.kind}")
    return rule(gate, table, reading)


def curve(gate: Gate, table: Table, noise: Noise = PRIOR) -> NDArray[np.float64] | None:
    """Return the gate's log e-process after each period, or None for a gate without one."""
    match gate:
        case ErrorRateGate():
            return error_rate_curve(gate, table)
        case ErrorThresholdGate():
            return error_threshold_curve(gate, table)
        case LatencyGate():
            return latency_curve(gate, table, noise)
        case AgreementGate():
            return agreement_curve(gate, table)
        case _:
            return None


def aborts(gate: Gate) -> bool:
    """Say whether the gate takes part in the early abort: only what decides may end a window early."""
    return gate.severity is Severity.CRITICAL and bool(getattr(gate, "abort", False))
