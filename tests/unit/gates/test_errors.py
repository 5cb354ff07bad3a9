"""Error rates against production and against a fixed limit."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from include.gates.errors import error_rate, error_rate_curve, error_threshold, error_threshold_curve
from include.gates.reading import Contradiction, Reading
from include.gates.table import Table
from include.rollout.evidence import Resampling
from include.rollout.gate import ErrorRateGate, ErrorThresholdGate, Outcome
from include.stats.proportions import Counts, difference_upper

FIRST = Reading(number=1)
GATE = ErrorRateGate(absolute=0.005)


def test_no_errors_at_all_pass_and_the_limit_is_the_score_limit_at_the_readings_alpha(measured):
    finding = error_rate(GATE, Table.of(measured([600] * 8, [300] * 8)), FIRST)
    assert finding.outcome is Outcome.PASS
    assert finding.effect == 0
    assert finding.high == pytest.approx(
        difference_upper(
            Counts(errors=0, requests=2400), Counts(errors=0, requests=4800), alpha=FIRST.alpha(GATE)
        )
    )
    assert finding.limit == 0.005
    assert finding.high < finding.limit


def test_too_few_requests_are_inconclusive_and_say_what_cannot_be_excluded(measured):
    finding = error_rate(GATE, Table.of(measured([60] * 8, [30] * 8)), FIRST)
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "cannot be excluded" in finding.reason
    assert finding.high > finding.limit


def test_many_errors_alone_never_fail_without_running_evidence(measured):
    table = Table.of(measured([600] * 8, [300] * 8, shadow_errors=[6] * 8))
    assert error_rate(GATE, table, FIRST).outcome is Outcome.INCONCLUSIVE
    contradicted = Reading(number=1, contradictions={GATE.name: Contradiction(log_e=9.0, bar=4.6, periods=2)})
    finding = error_rate(GATE, table, contradicted)
    assert finding.outcome is Outcome.FAIL
    assert "2 % (48 of 2,400) is 2 pp above production's 0 % (0 of 4,800)" in finding.reason
    assert "at most 0.5 pp more is allowed" in finding.reason
    assert "2 periods" in finding.reason


def test_a_relative_limit_binds_where_production_fails_often(measured):
    # Production at 5 %, the shadow at 6 %: 1 pp more is above the absolute half point but below 2.5 pp.
    table = Table.of(measured([6000] * 8, [3000] * 8, production_errors=[300] * 8, shadow_errors=[180] * 8))
    finding = error_rate(GATE, table, FIRST)
    assert finding.outcome is Outcome.PASS
    assert finding.limit == pytest.approx(0.025)
    assert finding.effect == pytest.approx(0.01)
    assert finding.high < 0.025


def test_a_window_cut_short_passes_nothing(measured):
    finding = error_rate(GATE, Table.of(measured([600] * 8, [300] * 8)), Reading(number=0))
    assert finding.outcome is Outcome.INCONCLUSIVE


def test_the_abort_tests_the_limit_that_promotion_must_meet(measured):
    rng = np.random.default_rng(5)
    crossed = 0
    for _ in range(400):
        n_p = rng.poisson(600, 11)
        ns = rng.binomial(n_p, 0.5)
        table = Table.of(measured(n_p.tolist(), ns.tolist(), shadow_errors=rng.binomial(ns, 0.005).tolist()))
        crossed += bool((error_rate_curve(GATE, table) >= np.log(100)).any())
    assert crossed / 400 <= 0.01


def test_missing_periods_leave_the_evidence_where_it_was(measured):
    whole = error_rate_curve(GATE, Table.of(measured([600] * 2, [300] * 2, shadow_errors=[5, 6])))
    gaps = error_rate_curve(
        GATE, Table.of(measured([600, 600, 600], [300, None, 300], shadow_errors=[5, 0, 6]))
    )
    assert gaps[0] == gaps[1] == pytest.approx(whole[0])
    assert gaps[2] == pytest.approx(whole[1])


def test_a_fixed_limit_is_held_against_the_exact_limit(measured):
    gate = ErrorThresholdGate(limit=0.01)
    quiet = Table.of(measured([600] * 8, [300] * 8, shadow_errors=[1] * 8))
    assert error_threshold(gate, quiet, FIRST).outcome is Outcome.PASS
    loud = Table.of(measured([600] * 8, [300] * 8, shadow_errors=[3] * 8))
    finding = error_threshold(gate, loud, FIRST)
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert finding.low < 0.01 < finding.high
    assert (
        error_threshold_curve(gate, Table.of(measured([600] * 8, [300] * 8, shadow_errors=[15] * 8))) > 4.7
    ).any()


@pytest.mark.parametrize("gate", [GATE, ErrorThresholdGate(limit=0.01)])
def test_without_common_periods_there_is_no_data(measured, gate):
    rule = error_rate if gate is GATE else error_threshold
    table = Table.of(measured([600, None], [None, 300]))
    assert rule(gate, table, FIRST).outcome is Outcome.NO_DATA


@pytest.mark.parametrize("requests", [2, 600])
def test_a_shadow_that_fails_every_request_is_contradicted_and_has_limits(measured, requests):
    table = Table.of(measured([requests] * 8, [requests] * 8, shadow_errors=[requests] * 8))
    assert error_rate_curve(GATE, table)[-1] > 4.6
    contradicted = Reading(number=0, contradictions={GATE.name: Contradiction(log_e=9.0, bar=4.6, periods=2)})
    finding = error_rate(GATE, table, contradicted)
    assert finding.outcome is Outcome.FAIL
    assert finding.low > 0
    assert finding.high == 1


@pytest.mark.parametrize("edited", [True, False])
def test_equal_variants_stay_equal_when_the_sampling_is_changed_while_errors_rise(measured, edited):
    """The sums of both compare a busy hour with a quiet one; without knowing of the change the gate is fooled."""
    rng = np.random.default_rng(11)
    passed = covered = 0
    for _ in range(200):
        rate = np.repeat([0.002, 0.03], 20)
        share = np.repeat([0.1, 1.0], 20)
        n_p = rng.poisson(3000, 40)
        ns = rng.binomial(n_p, share)
        evidence = measured(
            n_p.tolist(),
            ns.tolist(),
            production_errors=rng.binomial(n_p, rate).tolist(),
            shadow_errors=rng.binomial(ns, rate).tolist(),
            sampling=0.1,
        )
        change = Resampling(
            after=evidence.begin + timedelta(seconds=200),
            by=evidence.begin + timedelta(seconds=200),
            sampling=1.0,
        )
        known = replace(evidence, resamplings=(change,) if edited else ())
        finding = error_rate(GATE, Table.of(known), FIRST)
        passed += finding.outcome is Outcome.PASS
        covered += finding.low <= 0 <= finding.high
    if edited:
        assert passed >= 190
        assert covered >= 170
    else:
        assert (passed, covered) == (0, 0)


def test_no_worse_candidate_passes_because_its_copies_are_of_a_quiet_hour(measured):
    rng = np.random.default_rng(12)
    passed = 0
    for _ in range(200):
        rate = np.repeat([0.002, 0.03], 20)
        n_p = rng.poisson(3000, 40)
        ns = rng.binomial(n_p, np.repeat([1.0, 0.1], 20))
        evidence = measured(
            n_p.tolist(),
            ns.tolist(),
            production_errors=rng.binomial(n_p, rate).tolist(),
            shadow_errors=rng.binomial(ns, 1.6 * rate + 0.005).tolist(),
            sampling=1.0,
        )
        at = evidence.begin + timedelta(seconds=200)
        changed = replace(evidence, resamplings=(Resampling(after=at, by=at, sampling=0.1),))
        passed += error_rate(GATE, Table.of(changed), FIRST).outcome is Outcome.PASS
        assert error_rate(GATE, Table.of(evidence), FIRST).outcome is Outcome.PASS, (
            "the sums alone are fooled"
        )
    assert passed <= 10


def test_a_window_of_nothing_but_a_change_is_no_data(measured):
    evidence = measured([600] * 8, [300] * 8)
    change = Resampling(after=evidence.begin, by=None, sampling=0.1)
    table = Table.of(replace(evidence, resamplings=(change,)))
    assert error_rate(GATE, table, FIRST).outcome is Outcome.NO_DATA
