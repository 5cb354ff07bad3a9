"""Whether there is enough evidence of the right traffic."""

from dataclasses import replace
from datetime import timedelta

import pytest

from include.gates.completeness import completeness, min_sample
from include.gates.reading import Reading
from include.gates.table import Table
from include.rollout.evidence import Resampling
from include.rollout.gate import CompletenessGate, MinSampleGate, Outcome

FIRST = Reading(number=1)
GATE = CompletenessGate()


def found(evidence, gate=GATE):
    return completeness(gate, Table.of(evidence), FIRST)


def test_whole_evidence_with_the_configured_share_passes(measured):
    finding = found(measured([600] * 20, [300] * 20))
    assert finding.outcome is Outcome.PASS
    assert "20 of 20 periods" in finding.reason


@pytest.mark.parametrize(("missing", "outcome"), [(1, Outcome.PASS), (2, Outcome.INCONCLUSIVE)])
def test_at_least_95_percent_of_the_periods_are_needed(measured, missing, outcome):
    finding = found(measured([600] * 20, [None] * missing + [300] * (20 - missing)))
    assert finding.outcome is outcome
    assert finding.dropped == missing


def test_a_long_gap_is_inconclusive_even_if_the_share_is_fine(measured):
    finding = found(measured([600] * 100, [300] * 50 + [None] * 4 + [300] * 46))
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "4 periods" in finding.reason


def test_a_shadow_that_saw_other_traffic_is_a_sample_ratio_mismatch(measured):
    finding = found(measured([600] * 20, [270] * 20))
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "45 %" in finding.reason
    assert "50 %" in finding.reason


def test_a_significant_but_harmless_share_is_no_mismatch(measured):
    evidence = measured([600_000] * 20, [301_000] * 20)
    finding = found(evidence)
    assert finding.details["ratio_p"] < 1e-6
    assert finding.outcome is Outcome.PASS


def test_a_request_that_falls_over_the_edge_is_no_mismatch_when_all_are_copied(measured):
    evidence = replace(measured([600] * 20, [600] * 19 + [598]), sampling=1.0)
    assert found(evidence).outcome is Outcome.PASS


def test_readings_that_never_settle_are_inconclusive(measured):
    finding = found(measured([600] * 20, [300] * 20, stable=False))
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "still differ" in finding.reason


@pytest.mark.parametrize("evidence", [([], []), ([None] * 5, [None] * 5), ([0.0] * 5, [0.0] * 5)])
def test_no_requests_are_no_data(measured, evidence):
    assert found(measured(*evidence)).outcome is Outcome.NO_DATA


def test_it_says_which_variant_alone_was_seen(measured):
    finding = found(measured([600] * 5, [None] * 5))
    assert finding.outcome is Outcome.NO_DATA
    assert "only production" in finding.reason


@pytest.mark.parametrize(
    ("requests", "outcome"),
    [(6000, Outcome.PASS), (6001, Outcome.INCONCLUSIVE)],
)
def test_each_variant_needs_the_planned_requests(measured, requests, outcome):
    table = Table.of(measured([600] * 20, [300] * 20))
    finding = min_sample(MinSampleGate(requests=requests), table, FIRST)
    assert finding.outcome is outcome
    assert f"{requests:,}" in finding.reason
    assert "6,000" in finding.reason


def test_an_idle_shadow_is_no_data_for_the_minimum_sample(measured):
    table = Table.of(measured([600] * 20, [None] * 20))
    assert min_sample(MinSampleGate(requests=1), table, FIRST).outcome is Outcome.NO_DATA


def resampled(evidence, *changes):
    """Say that the sampling was changed: (seconds after the begin, seconds until it was in force, the new one)."""
    return replace(
        evidence,
        resamplings=tuple(
            Resampling(
                after=evidence.begin + timedelta(seconds=after),
                by=None if by is None else evidence.begin + timedelta(seconds=by),
                sampling=sampling,
            )
            for after, by, sampling in changes
        ),
    )


EDITED = ([600] * 20, [300] * 10 + [411, 502] + [600] * 8)


def test_a_window_in_which_the_sampling_was_changed_is_held_against_what_was_in_force(measured):
    evidence = measured(*EDITED)
    assert found(evidence).outcome is Outcome.INCONCLUSIVE
    finding = found(resampled(evidence, (101, 119, 1.0)))
    assert finding.outcome is Outcome.PASS
    assert "50 % (it answered 50 %), 100 % (it answered 100 %); left out are 2 periods" in finding.reason


@pytest.mark.parametrize("low", [slice(0, 10), slice(12, 20)])
def test_other_traffic_before_or_after_a_change_is_a_mismatch_all_the_same(measured, low):
    production, shadow = EDITED
    shadow = [n * 0.9 if i in range(20)[low] else n for i, n in enumerate(shadow)]
    finding = found(resampled(measured(production, shadow), (101, 119, 1.0)))
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "did not see the same traffic" in finding.reason


def test_a_change_that_is_under_way_or_never_settled_raises_no_alarm(measured):
    assert found(resampled(measured([600] * 20, [300] * 10 + [123] * 10), (100, None, 0.2))).outcome is (
        Outcome.PASS
    )
    assert found(resampled(measured([600] * 20, [7] * 20), (-50, None, 0.2))).outcome is Outcome.PASS


def test_a_change_before_the_window_counts_for_all_of_it(measured):
    evidence = resampled(measured([600] * 20, [120] * 20), (-60, -30, 0.2))
    assert found(evidence).outcome is Outcome.PASS
    assert found(measured([600] * 20, [120] * 20)).outcome is Outcome.INCONCLUSIVE


def test_the_share_copied_at_least_is_the_lower_one_while_it_changes(measured):
    table = Table.of(resampled(measured([600] * 5, [300] * 5), (11, 29, 1.0), (35, None, 0.1)))
    assert table.shares[0] == 0.5
    assert [str(share) for share in table.shares[1:]] == ["nan", "nan", "nan", "nan"]
    assert list(table.least_shares) == [0.5, 0.5, 0.5, 0.1, 0.1]
