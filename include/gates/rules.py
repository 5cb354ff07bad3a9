"""Which rule assesses which kind of gate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from include.gates.agreement import agreement, agreement_curve
from include.gates.completeness import completeness, min_sample
from include.gates.cost import cost
from include.gates.drift import drift
from include.gates.errors import error_rate, error_rate_curve, error_threshold, error_threshold_curve
from include.gates.latency import latency, latency_curve, latency_threshold
from include.gates.overhead import overhead
from include.gates.reading import Reading
from include.gates.saturation import saturation
from include.gates.table import Table
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

PAIRED = (AgreementGate, DriftGate)  # kinds that read the pairs; the others are not shown them


def assess(gate: Gate, table: Table, reading: Reading, noise: Noise = PRIOR) -> Finding:
    """Return the gate's finding on this evidence; an unknown kind is inconclusive, never a pass."""
    match gate:
        case CompletenessGate():
            return completeness(gate, table, reading)
        case MinSampleGate():
            return min_sample(gate, table, reading)
        case ErrorRateGate():
            return error_rate(gate, table, reading)
        case ErrorThresholdGate():
            return error_threshold(gate, table, reading)
        case LatencyThresholdGate():
            return latency_threshold(gate, table, reading)
        case LatencyGate():
            return latency(gate, table, reading, noise)
        case AgreementGate():
            return agreement(gate, table, reading)
        case DriftGate():
            return drift(gate, table, reading)
        case SaturationGate():
            return saturation(gate, table, reading)
        case OverheadGate():
            return overhead(gate, table, reading)
        case CostGate():
            return cost(gate, table, reading)
        case _:
            return reading.finding(
                gate, Outcome.INCONCLUSIVE, f"there is no rule for a gate of kind {gate.kind}"
            )


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
