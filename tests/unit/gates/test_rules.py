"""Every kind of gate has a rule, and no rule passes on evidence that cannot carry it."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.gates.look import look
from include.gates.reading import Reading
from include.gates.rules import assess
from include.gates.table import Table
from include.rollout.evidence import Evidence, Period
from include.rollout.gate import (
    CompletenessGate,
    ErrorRateGate,
    ErrorThresholdGate,
    GatePolicy,
    LatencyGate,
    LatencyThresholdGate,
    MinSampleGate,
    Outcome,
)
from include.rollout.operating import CostGate, OverheadGate, SaturationGate
from tests.unit.gates.conftest import BEGIN, METRIC
from tests.unit.gates.operated import ALIKE, ONE

RULES = (
    CompletenessGate(),
    MinSampleGate(requests=100),
    ErrorRateGate(absolute=0.005),
    ErrorThresholdGate(limit=0.01),
    LatencyThresholdGate(quantile="p90", limit_ms=20),
    LatencyGate(quantile="p90", margin=0.2, block=10),
    SaturationGate(block=10, margin=0.5),
    SaturationGate(metric="DiskUtilization", block=10),
    OverheadGate(limit_ms=20, block=10),
    CostGate(ratio=1, per_million=50),
)
# Those that hold a measurement against a fixed number may contradict it at a single reading.
FIXED = {"latency_threshold", "saturation", "overhead", "cost"}
POLICY = GatePolicy(rules=RULES)
numbers = st.one_of(
    st.none(),
    st.sampled_from([0.0, 1.0, 300.0, 600.0, -1.0, float("nan"), float("inf"), -float("inf"), 1e12, 0.5]),
    st.floats(0, 1000),
)
values = st.one_of(
    st.sampled_from([0.0, 1.0, 300.0, 600.0, -1.0, float("nan"), float("inf"), 1e12]), st.floats(0, 1000)
)
USES = [f"{m}Utilization.{s}" for m in ("CPU", "Disk") for s in ("maximum", "average")]


@st.composite
def periods(draw):
    """Any list of periods: off the grid, twice, in any order, with any numbers."""
    found = []
    for _ in range(draw(st.integers(0, 6))):
        offset = draw(st.sampled_from([0, 10, 20, 30, 40, 50, 3, -10, 9999]))
        quantiles = draw(st.dictionaries(st.sampled_from(["p50", "p90", "p99"]), values, max_size=2))
        found.append(
            Period(
                start=BEGIN + timedelta(seconds=offset),
                invocations=draw(numbers),
                errors=draw(st.dictionaries(st.just(METRIC), values, max_size=1)),
                latency=quantiles,
                overhead=draw(st.dictionaries(st.just("p50"), values, max_size=1)),
                utilization=dict.fromkeys(USES[: draw(st.integers(0, 4))], draw(values)),
            )
        )
    return tuple(found)


@st.composite
def evidences(draw):
    return Evidence(
        begin=BEGIN,
        end=BEGIN + timedelta(seconds=draw(st.sampled_from([0, 10, 60]))),
        period=10,
        sampling=draw(st.sampled_from([0.01, 0.5, 1.0])),
        production=draw(periods()),
        shadow=draw(periods()),
        whole={"shadow": draw(st.dictionaries(st.sampled_from(["p90", "p99"]), values, max_size=2))},
        stable=draw(st.booleans()),
        fleets=draw(st.sampled_from([{}, ALIKE, {"shadow": ONE}])),
    )


def usable(evidence):
    """Count the requests of the shadow in periods that can be true for both variants."""
    table = Table.of(evidence)
    return table.column("shadow", "invocations")[table.used].sum()


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(evidence=evidences(), number=st.sampled_from([0, 1, 2]))
def test_no_evidence_makes_a_rule_raise_and_thin_evidence_never_passes(evidence, number):
    table = Table.of(evidence)
    for gate in RULES:
        finding = assess(gate, table, Reading(number=number))
        assert finding.reason
        assert finding.outcome is not Outcome.FAIL or gate.kind in FIXED
        if finding.outcome is Outcome.PASS:
            assert usable(evidence) > 0
            if gate.kind.startswith("error"):
                assert number > 0
                assert finding.high < finding.limit
                assert usable(evidence) * finding.limit > 1  # a handful of requests excludes nothing
            if gate.kind == "latency":
                assert number > 0
                assert finding.periods >= 2
                assert finding.high < finding.limit
            if gate.kind in {"saturation", "overhead"}:
                assert number > 0
                assert finding.periods >= 2
                assert finding.high < finding.limit
            if gate.kind == "cost":
                assert number > 0
                assert evidence.fleets == ALIKE
            if gate.kind == "min_sample":
                assert usable(evidence) >= 100


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(evidence=evidences())
def test_no_evidence_makes_a_look_raise_or_abort_without_errors(evidence):
    found = look(evidence, POLICY)
    if found.aborts:
        assert {finding.kind for finding in found.findings} <= {"error_rate", "error_threshold"}
        assert any(period.errors.get(METRIC) for period in evidence.shadow)


@pytest.mark.parametrize("gate", RULES, ids=lambda gate: gate.kind)
@pytest.mark.parametrize(
    "rows",
    [([], []), ([None] * 8, [None] * 8), ([0.0] * 8, [0.0] * 8), ([600.0] * 8, [None] * 8), ([float("nan")] * 8, [300.0] * 8)],
    ids=["empty", "all missing", "all zero", "idle shadow", "production not a number"],
)  # fmt: skip
def test_evidence_without_a_common_request_is_no_data(measured, gate, rows):
    evidence = measured(*rows, whole={"shadow": {"p90": 1000.0}})
    assert assess(gate, Table.of(evidence), Reading(number=1)).outcome is Outcome.NO_DATA
