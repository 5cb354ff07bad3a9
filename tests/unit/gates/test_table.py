"""Evidence as columns over the periods that should have been measured."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from include.gates.table import Table
from include.rollout.evidence import Period


def test_a_period_missing_for_one_variant_is_dropped_for_both(measured):
    table = Table.of(measured([600, None, 600], [300, 300, 300]))
    assert table.used.tolist() == [True, False, True]


def test_an_absent_error_metric_is_zero_only_where_there_were_invocations(measured):
    table = Table.of(measured([600, None], [300, 300], shadow_errors=[4, 0]))
    assert table.errors("shadow", "InvocationModelErrors").tolist() == [4, 0]
    production = table.errors("production", "InvocationModelErrors")
    assert production[0] == 0
    assert np.isnan(production[1])


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0])
def test_a_number_that_cannot_be_counts_as_missing_never_as_zero(measured, bad):
    table = Table.of(measured([600, bad], [300, 300]))
    assert table.used.tolist() == [True, False]


def test_more_errors_than_invocations_make_the_period_worthless(measured):
    table = Table.of(measured([600, 600], [300, 300], shadow_errors=[1, 301]))
    assert table.used.tolist() == [True, False]


def test_periods_outside_the_window_or_off_its_grid_are_ignored_and_counted(measured):
    evidence = measured([600], [300])
    late = Period(start=evidence.end, invocations=600.0)
    crooked = Period(start=evidence.begin + timedelta(seconds=3), invocations=600.0)
    table = Table.of(replace(evidence, shadow=(*evidence.shadow, late, crooked)))
    assert (len(table), table.stray) == (1, 2)
    assert table.column("shadow", "invocations").tolist() == [300]


def test_a_period_read_twice_counts_if_both_readings_agree(measured):
    evidence = measured([600, 600], [300, 300])
    again = replace(evidence, shadow=(*evidence.shadow, evidence.shadow[0]))
    assert Table.of(again).used.all()
    other = replace(evidence, shadow=(*evidence.shadow, replace(evidence.shadow[0], invocations=10.0)))
    table = Table.of(other)
    assert table.used.tolist() == [False, True]
    assert table.contradicted == 1


def test_a_column_that_was_never_measured_is_all_missing(measured):
    assert np.isnan(Table.of(measured([600], [300])).column("shadow", "latency_p99")).all()


def test_an_empty_window_has_no_rows(measured):
    table = Table.of(measured([], []))
    assert len(table) == 0
    assert table.used.size == 0


def test_a_metric_that_was_only_ever_impossible_makes_no_column(measured):
    evidence = measured([600, 600], [300, 300])
    lied = tuple(replace(p, latency={"p90": -1.0}, invocations=300.0) for p in evidence.shadow)
    table = Table.of(replace(evidence, shadow=lied))
    assert "shadow_latency_p90" not in table.columns
    assert np.isnan(table.column("shadow", "invocations")).all()


def test_errors_without_invocations_make_the_period_worthless(measured):
    evidence = measured([600, 600], [300, 300])
    shadow = (
        replace(evidence.shadow[0], invocations=None, errors={"Invocation5XXErrors": 2.0}),
        evidence.shadow[1],
    )
    table = Table.of(replace(evidence, shadow=shadow))
    assert np.isnan(table.column("shadow", "error_Invocation5XXErrors")).all()
    assert table.used.tolist() == [False, True]
