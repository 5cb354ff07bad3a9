"""The window: whole periods, read behind now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from include.rollout.window import Window, ceil_to, floor_to, kept

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def window(**changes: object) -> Window:
    values: dict[str, object] = {
        "opened": NOON + timedelta(seconds=3),
        "period": 10,
        "warm_up": 10,
        "length": 80,
        "lag": 5,
    }
    return Window(**{**values, **changes})  # type: ignore[arg-type]


def test_the_window_begins_at_the_first_whole_period_after_the_warm_up() -> None:
    assert window().begin == NOON + timedelta(seconds=20)
    assert window().end == NOON + timedelta(seconds=100)


def test_a_period_is_readable_only_after_its_end_and_the_lag() -> None:
    begin = window().begin
    assert window().readable(begin + timedelta(seconds=14.9)) == begin
    assert window().readable(begin + timedelta(seconds=15)) == begin + timedelta(seconds=10)


def test_nothing_beyond_the_window_is_ever_read() -> None:
    assert window().readable(NOON + timedelta(days=1)) == window().end


def test_the_next_look_is_when_the_next_period_becomes_readable() -> None:
    seen = window().begin + timedelta(seconds=20)
    assert window().readable(window().next_look(seen)) == seen + timedelta(seconds=10)


@given(
    st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2040, 1, 1)),
    st.sampled_from([10, 30, 60, 300]),
)
def test_rounding_keeps_to_periods(naive: datetime, period: int) -> None:
    moment = naive.replace(tzinfo=UTC)
    low, high = floor_to(moment, period), ceil_to(moment, period)
    assert low <= moment <= high
    assert low.timestamp() % period == 0 == high.timestamp() % period
    assert high - low in (timedelta(0), timedelta(seconds=period))


def test_a_window_is_no_longer_than_cloudwatch_keeps_its_periods() -> None:
    day = 86400
    assert [kept(period) + 900 for period in (10, 30, 60, 240, 300)] == [
        3 * 3600,
        3 * 3600,
        15 * day,
        15 * day,
        63 * day,
    ]
