"""One look at a running window."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from include.gates.look import look
from include.rollout.gate import (
    CompletenessGate,
    ErrorRateGate,
    ErrorThresholdGate,
    GatePolicy,
    MinSampleGate,
)
from include.rollout.rule import Severity
from tests.soak.world.endpoint import World, until, windows

POLICY = GatePolicy(rules=(CompletenessGate(), MinSampleGate(), ErrorRateGate(absolute=0.005)))


def test_a_look_imports_neither_great_expectations_nor_pandas():
    code = (
        "import sys, json; import include.gates.look, include.gates.judge; "
        "print(json.dumps([m for m in ('great_expectations', 'pandas', 'duckdb', 'boto3') if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_a_failing_shadow_is_contradicted_and_a_healthy_one_is_not(measured):
    bad = look(measured([600] * 8, [300] * 8, shadow_errors=[6] * 8), POLICY)
    assert bad.aborts
    assert bad.crossed_after < 8
    assert [finding.gate for finding in bad.findings] == ["error_rate:InvocationModelErrors"]
    assert "pp above production's" in bad.sentence
    good = look(measured([600] * 8, [300] * 8), POLICY)
    assert not good.aborts
    assert good.log_e < 0
    assert "it needs 100" in good.sentence


def test_no_data_is_no_evidence(measured):
    for evidence in (measured([], []), measured([None] * 3, [None] * 3), measured([600] * 3, [None] * 3)):
        found = look(evidence, POLICY)
        assert not found.aborts
        assert found.log_e == 0


def test_the_average_is_taken_over_all_gates_that_abort_and_over_no_other(measured):
    evidence = measured([600] * 8, [300] * 8, shadow_errors=[6] * 8)
    rules = (
        *POLICY.rules,
        ErrorThresholdGate(metric="Invocation5XXErrors", limit=0.01),
        ErrorThresholdGate(metric="Invocation4XXErrors", limit=0.01, severity=Severity.WARNING),
        ErrorThresholdGate(metric="InvocationModelErrors", limit=0.01, abort=False),
    )
    found = look(evidence, GatePolicy(rules=rules))
    shared = [
        found.curves[name]
        for name in ("error_rate:InvocationModelErrors", "error_threshold:Invocation5XXErrors")
    ]
    expected = np.log(np.exp(np.array(shared)).mean(axis=0))
    np.testing.assert_allclose(found.curve, expected, rtol=1e-9, atol=1e-9)
    assert set(found.contradictions) == {"error_rate:InvocationModelErrors"}


def test_the_contradiction_names_only_gates_whose_own_evidence_holds_up(measured):
    # The second process sees nothing; a mean that crosses must not blame it.
    evidence = measured([600] * 4, [300] * 4, shadow_errors=[30] * 4)
    rules = (*POLICY.rules, ErrorThresholdGate(metric="Invocation5XXErrors", limit=0.01))
    found = look(evidence, GatePolicy(rules=rules))
    assert set(found.contradictions) == {"error_rate:InvocationModelErrors"}


@pytest.mark.parametrize("alpha", [0.01, 0.001])
def test_the_bar_is_one_over_the_abort_alpha(measured, alpha):
    policy = POLICY.model_copy(update={"abort_alpha": alpha})
    assert look(measured([1], [1]), policy).bar == pytest.approx(np.log(1 / alpha))


def test_what_a_look_saw_never_changes_when_evidence_is_added():
    world = replace(World(), periods=12, missing=0.2, ratio=1.08, sampling=0.7)
    policy = GatePolicy()
    for evidence in windows(world, seed=35, runs=3):
        whole = look(evidence, policy)
        for periods in range(1, 12):
            early = look(until(evidence, periods), policy)
            assert early.curve == pytest.approx(whole.curve[:periods], abs=1e-9)
