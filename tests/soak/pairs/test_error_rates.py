"""How often agreement and drift err, over many simulated windows: the full matrix of what the unit tests show briefly."""

import numpy as np
import pytest

from include.gates.agreement import agreement, agreement_curve
from include.gates.drift import drift
from include.gates.reading import Reading
from include.rollout.gate import AgreementGate, DriftGate, Outcome
from tests.unit.gates.paired import answered, counted, table_of

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]
RUNS = 2000
ALLOWED = 3 * np.sqrt(0.025 * 0.975 / RUNS)  # beyond the error, by chance


@pytest.mark.parametrize("limit", [0.001, 0.01, 0.05])
@pytest.mark.parametrize("repeats", [1, 5])
@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_agreement_keeps_its_errors_at_the_limit(limit, repeats, noise):
    """Inputs repeat `repeats` times with the same flip; noise was measured on 20,000 pairs of production with itself."""
    rng = np.random.default_rng([int(limit * 1e4), repeats, int(noise * 100)])
    aborted = passed = 0
    for _ in range(RUNS):
        measured = int(rng.binomial(20_000, noise)) if noise else 0
        gate = AgreementGate(limit=limit, noise_flips=measured, noise_pairs=20_000 if noise else 0)
        flips = rng.binomial(200, limit + noise, 30) * repeats
        pairs = counted(flips.tolist(), [200 * repeats] * 30, repetition=repeats)
        table = table_of(pairs, periods=30)
        aborted += bool((agreement_curve(gate, table) >= np.log(100)).any())
        passed += agreement(gate, table, Reading(number=1)).outcome is Outcome.PASS
    assert aborted / RUNS <= 0.01 + 3 * np.sqrt(0.01 * 0.99 / RUNS)
    assert passed / RUNS <= 0.025 + ALLOWED


def test_repeats_that_are_counted_as_new_would_err():
    """The control: the same windows, their repetition kept quiet, abort far more often than is allowed."""
    rng = np.random.default_rng(3)
    aborted = 0
    for _ in range(300):
        pairs = counted((rng.binomial(40, 0.01, 30) * 25).tolist(), [1000] * 30, repetition=1)
        aborted += bool((agreement_curve(AgreementGate(), table_of(pairs, periods=30)) >= np.log(100)).any())
    assert aborted / 300 > 0.05


@pytest.mark.parametrize("spread", [0.05, 0.5])
@pytest.mark.parametrize("n", [100, 1000])
def test_drift_keeps_its_errors_at_the_limit(spread, n):
    rng = np.random.default_rng([int(spread * 100), n])
    outcomes = []
    for _ in range(RUNS // 2):
        production = rng.normal(5, 2, n)
        shadow = production + 0.1 * production.std(ddof=1) + rng.normal(0, spread, n)
        table = table_of(answered(production.tolist(), shadow.tolist()))
        outcomes.append(drift(DriftGate(), table, Reading(number=1)).outcome)
    for outcome in (Outcome.PASS, Outcome.FAIL):
        assert outcomes.count(outcome) / len(outcomes) <= 0.025 + ALLOWED * np.sqrt(2)
