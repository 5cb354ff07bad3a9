"""When a promotion may begin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from include.rollout.promotion_window import LONGEST_WAIT, Day, PromotionWindow, next_opening

OFFICE = {"begin": "09:00", "end": "16:00"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def opens(now: str, *windows: dict[str, Any]) -> datetime:
    return next_opening([PromotionWindow(**window) for window in windows], at(now))


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("2026-03-03 08:59:59", "2026-03-03 09:00:00"),
        ("2026-03-03 09:00:00", "2026-03-03 09:00:00"),
        ("2026-03-03 12:34:56", "2026-03-03 12:34:56"),
        ("2026-03-03 16:00:00", "2026-03-04 09:00:00"),
        ("2026-03-06 16:00:00", "2026-03-09 09:00:00"),  # a Friday: the weekend is left out
    ],
)
def test_office_hours_from_monday_to_friday(now: str, then: str) -> None:
    assert opens(now, OFFICE) == at(then)


def test_without_windows_a_promotion_may_begin_at_any_time() -> None:
    assert opens("2026-03-07 03:00:00") == at("2026-03-07 03:00:00")


def test_the_clocks_are_those_of_the_time_zone_and_change_with_it() -> None:
    berlin = {**OFFICE, "timezone": "Europe/Berlin"}
    assert opens("2026-03-27 16:00:00", berlin) == at("2026-03-30 07:00:00")  # summer time began on Sunday
    assert opens("2026-03-26 16:00:00", berlin) == at("2026-03-27 08:00:00")
    # In Auckland it is Monday already.
    auckland = {**OFFICE, "timezone": "Pacific/Auckland", "days": ["mon"]}
    assert opens("2026-06-07 21:30:00", auckland) == at("2026-06-07 21:30:00")


def test_the_next_of_several_counts_and_midnight_is_the_end_of_a_day() -> None:
    night = [
        {"begin": "22:00", "end": "00:00", "days": ["sat"]},
        {"begin": "00:00", "end": "04:00", "days": ["sun"]},
    ]
    assert opens("2026-03-07 12:00:00", OFFICE, *night) == at("2026-03-07 22:00:00")
    assert opens("2026-03-07 23:59:59", *night) == at("2026-03-07 23:59:59")
    assert opens("2026-03-08 03:59:59", *night) == at("2026-03-08 03:59:59")
    assert opens("2026-03-08 04:00:00", *night) == at("2026-03-14 22:00:00")


CLOCKS = st.times().map(lambda time: f"{time:%H:%M}")


@given(
    st.sets(st.sampled_from(Day), min_size=1),
    CLOCKS,
    CLOCKS,
    st.sampled_from(["UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe"]),
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)),
)
def test_nobody_waits_longer_than_a_week_and_what_opens_is_open(
    days: set[Day], begin: str, end: str, timezone: str, now: datetime
) -> None:
    if begin >= end:
        end = "00:00"
    window = PromotionWindow(days=tuple(days), begin=begin, end=end, timezone=timezone)
    moment = now.replace(tzinfo=UTC)
    found = window.next_opening(moment)
    assert timedelta(0) <= found - moment <= timedelta(seconds=LONGEST_WAIT)
    assert window.next_opening(found) == found


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"begin": 600}, 'what YAML makes of 10:00; write "10:00", in quotes'),
        ({"begin": "9:00"}, "pattern"),
        ({"end": "24:00"}, "pattern"),
        ({"begin": "22:00", "end": "04:00"}, "one that passes midnight is given as two"),
        ({"begin": "09:00", "end": "09:00"}, "begins at 09:00 and ends at 09:00"),
        ({"timezone": "Berlin"}, "'Berlin'; it must be the IANA name"),
        ({"timezone": ""}, "''; it must be the IANA name"),
        ({"timezone": "../UTC"}, "'../UTC'; it must be the IANA name"),
        ({"days": []}, "at least 1"),
        ({"days": ["monday"]}, "'mon'"),
    ],
)
def test_what_can_be_no_window_is_refused_in_words(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        PromotionWindow(**{**OFFICE, **changes})
