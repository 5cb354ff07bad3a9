"""The judge: findings, verdict and the whole validation result."""

import json
import logging
import os
import subprocess
import sys

import pytest

from include.gates.judge import finding_of, judge
from include.rollout.gate import (
    CompletenessGate,
    ErrorRateGate,
    ErrorThresholdGate,
    GatePolicy,
    LatencyThresholdGate,
    MinSampleGate,
    Outcome,
)
from include.rollout.rule import Severity
from include.rollout.verdict import Verdict

POLICY = GatePolicy(
    rules=(
        CompletenessGate(),
        MinSampleGate(requests=2000),
        ErrorRateGate(absolute=0.005),
        ErrorThresholdGate(metric="Invocation5XXErrors", limit=0.01, severity=Severity.WARNING),
        LatencyThresholdGate(quantile="p99", limit_ms=20),
    )
)
WHOLE = {"shadow": {"p99": 15_000.0}, "production": {"p99": 14_000.0}}


def outcomes(judgement):
    return {finding.kind: finding.outcome for finding in judgement.findings}


def test_a_healthy_candidate_is_promoted(measured):
    found = judge(measured([600] * 8, [300] * 8, whole=WHOLE), POLICY, reading=1)
    assert found.verdict is Verdict.PROMOTE
    assert set(outcomes(found).values()) == {Outcome.PASS}
    assert [finding.gate for finding in found.findings] == [rule.name for rule in POLICY.rules]


def test_a_failing_candidate_is_rolled_back_by_the_same_evidence_that_aborts(measured):
    evidence = measured([600] * 3, [300] * 3, shadow_errors=[6] * 3, whole=WHOLE)
    found = judge(evidence, POLICY, reading=1, aborting=True)
    assert found.verdict is Verdict.ROLL_BACK
    assert outcomes(found)["error_rate"] is Outcome.FAIL
    # A window cut short passes no fixed-sample gate.
    assert outcomes(found)["latency_threshold"] is Outcome.INCONCLUSIVE
    assert found.reading == 0
    assert found.look.aborts


def test_an_empty_window_is_inconclusive(measured):
    found = judge(measured([], []), POLICY, reading=2)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert Outcome.PASS not in outcomes(found).values()


def test_the_validation_result_is_strict_json_and_holds_every_outcome(measured):
    nothing_but_trouble = {"shadow": {"p99": float("inf")}, "production": {"p99": float("nan")}}
    found = judge(measured([600] * 2, [None, 300], whole=nothing_but_trouble), POLICY, reading=1)
    stored = json.loads(json.dumps(found.validation, allow_nan=False))
    details = [
        entry["result"]["details"]
        for entry in stored["results"]
        if entry["expectation_config"]["type"] == "expect_gate_to_hold"
    ]
    assert [finding_of(d).outcome for d in details] == [f.outcome for f in found.findings]
    assert all(type(entry["success"]) is bool for entry in stored["results"])


def test_the_same_evidence_gives_the_same_findings(measured):
    evidence = measured([600] * 8, [300] * 8, shadow_errors=[0, 1] * 4, whole=WHOLE)
    first, again = (judge(evidence, POLICY, reading=1) for _ in range(2))
    assert first.findings == again.findings
    assert first.evidence_digest == again.evidence_digest


def test_a_gate_that_raises_is_inconclusive_with_its_reason(measured, monkeypatch):
    def explode(*_):
        raise ArithmeticError("the sky fell")

    import include.gates.expectation

    monkeypatch.setattr(include.gates.expectation, "assess", explode)
    found = judge(measured([600] * 8, [300] * 8, whole=WHOLE), POLICY, reading=1)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert set(outcomes(found).values()) == {Outcome.INCONCLUSIVE}
    assert "the sky fell" in found.findings[0].reason


def test_a_pass_that_a_stock_expectation_contradicts_does_not_count(measured, monkeypatch):
    import include.gates.expectation
    from include.gates.reading import Reading

    def always(gate, table, reading, noise):
        return Reading(number=1).finding(gate, Outcome.PASS, "trust me")

    monkeypatch.setattr(include.gates.expectation, "assess", always)
    slow = {"shadow": {"p99": 25_000.0}}
    found = judge(measured([600] * 2, [300, None], whole=slow), POLICY, reading=1)
    assert outcomes(found)["completeness"] is Outcome.INCONCLUSIVE
    assert outcomes(found)["min_sample"] is Outcome.INCONCLUSIVE
    assert outcomes(found)["latency_threshold"] is Outcome.INCONCLUSIVE
    assert outcomes(found)["error_rate"] is Outcome.PASS
    empty = judge(measured([], []), POLICY, reading=1)
    assert Outcome.PASS not in outcomes(empty).values()


@pytest.mark.parametrize("reading", [0, 3, -1])
def test_gates_are_read_once_or_twice(measured, reading):
    with pytest.raises(ValueError, match="once"):
        judge(measured([600], [300]), POLICY, reading=reading)


def test_the_evidence_curve_comes_with_the_finding(measured):
    found = judge(measured([600] * 8, [300] * 8, whole=WHOLE), POLICY, reading=1)
    curve = found.findings[2].details["log_e_curve"]
    assert len(curve) == 8
    assert found.findings[2].log_e == pytest.approx(curve[-1], abs=1e-3)


def test_importing_great_expectations_is_silent_and_sends_nothing():
    code = (
        "import logging, sys; logging.basicConfig(level=logging.INFO, stream=sys.stdout);"
        "import include.gates.expectation, os; print(os.environ['GX_ANALYTICS_ENABLED'])"
    )
    environment = {key: value for key, value in os.environ.items() if key != "GX_ANALYTICS_ENABLED"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert done.stdout.strip() == "false"
    assert "Skipping registering" not in done.stderr


def test_judging_logs_nothing_of_its_carrier(measured, caplog):
    with caplog.at_level(logging.INFO):
        judge(measured([600] * 8, [300] * 8, whole=WHOLE), POLICY, reading=1)
    assert [record.name for record in caplog.records if record.name.startswith("great_expectations")] == []
