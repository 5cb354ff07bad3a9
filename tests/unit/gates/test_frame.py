"""The table as a frame and back."""

from dataclasses import fields

import numpy as np

from include.gates.frame import frame_of, table_of
from include.gates.table import Table
from include.rollout.evidence import Resampling, Threshold
from tests.unit.gates.conftest import BEGIN


def test_a_frame_holds_the_whole_table(measured):
    table = Table.of(
        measured(
            [600, None, 580],
            [300, 310, None],
            shadow_errors=[1, 2, 0],
            whole={"shadow": {"p99": 15_000.0}, "production": {}},
            thresholds=(Threshold(label="p90", production_us=1.0, shadow_us=2.0),),
            stable=False,
            resamplings=(
                Resampling(after=BEGIN, by=BEGIN, sampling=0.2),
                Resampling(after=BEGIN, by=None, sampling=1.0),
            ),
        )
    )
    frame, window = frame_of(table)
    back = table_of(frame, window)
    assert frame["shadow_whole_p99"].tolist() == [15_000.0] * 3
    assert set(back.columns) == set(table.columns)
    for name, column in table.columns.items():
        np.testing.assert_array_equal(back.columns[name], column)
    for field in fields(Table):
        if field.name != "columns" and field.name != "whole":
            assert getattr(back, field.name) == getattr(table, field.name)
    assert back.whole["shadow"] == {"p99": 15_000.0}


def test_an_empty_table_makes_an_empty_frame(measured):
    frame, window = frame_of(Table.of(measured([], [])))
    assert len(frame) == 0
    assert len(table_of(frame, window)) == 0
