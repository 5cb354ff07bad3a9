"""Rows are counted once, by the time they were scheduled for, whenever they are folded."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from include.replay.account import Account, Period
from include.replay.tally import ANSWERED, SHED, Tally, row

rows = st.lists(
    st.tuples(
        st.floats(min_value=0, max_value=50),
        st.floats(min_value=0, max_value=9),
        st.sampled_from(range(SHED + 1)),
    ),
    max_size=30,
)


def tally() -> Tally:
    return Tally(start=10.0, epoch=1000.0, period=10)


def write(into: Tally, index: int, entry: tuple[float, float, int]) -> None:
    at, took, outcome = entry
    into.add(row(index, at, at, at + took, 200 if outcome == ANSWERED else 0, outcome))


@settings(deadline=None)
@given(rows, st.sets(st.integers(min_value=0, max_value=30)))
def test_folding_often_or_once_gives_the_same_account(
    entries: list[tuple[float, float, int]], folds: set[int]
) -> None:
    often, once = tally(), tally()
    for index, entry in enumerate(entries):
        write(often, index, entry)
        write(once, index, entry)
        if index in folds:
            often.fold()
    assert often.fold() == once.fold()


@settings(deadline=None)
@given(rows)
def test_what_was_scheduled_before_counting_began_is_warm_up(entries: list[tuple[float, float, int]]) -> None:
    one = tally()
    for index, entry in enumerate(entries):
        write(one, index, entry)
    account = one.fold()
    assert account.warm_up == sum(at < 10.0 for at, *_ in entries)
    assert account.scheduled == len(entries) - account.warm_up


def test_a_row_belongs_to_the_period_it_was_scheduled_in() -> None:
    one = tally()
    for index, at in enumerate((10.0, 19.99, 20.0, 45.0)):
        write(one, index, (at, 30.0, ANSWERED))
    write(one, 4, (45.5, 0.0, SHED))
    assert one.fold().periods == {
        1010: Period(scheduled=2, answered=2),
        1020: Period(scheduled=1, answered=1),
        1040: Period(scheduled=2, answered=1, shed=1),
    }
    assert (one.fold().started, one.fold().ended) == (1010.0, 1075.0)


def test_nothing_written_is_the_empty_account() -> None:
    assert tally().fold() == Account()


def test_records_are_every_counted_row_once_with_times_of_the_epoch() -> None:
    heard: list[tuple[int, float, float, int]] = []
    one = Tally(
        start=10.0,
        epoch=1000.0,
        period=10,
        records=lambda rows: heard.extend(rows[["index", "scheduled", "ended", "status"]].tolist()),
    )
    for index, at in enumerate((9.0, 10.0, 11.0)):
        write(one, index, (at, 2.0, ANSWERED))
        one.fold()
    assert one.fold().scheduled == 2
    assert heard == [(1, 1010.0, 1012.0, 200), (2, 1011.0, 1013.0, 200)]
