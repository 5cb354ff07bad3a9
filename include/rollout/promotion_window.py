"""When a promotion may begin: hours of the week in which the people are there whom it may wake."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, field_validator, model_validator

from include.rollout.pattern import CLOCK
from include.rollout.section import Section

LONGEST_WAIT = 7 * 86400 + 3600  # seconds: once a week, over a change of the clocks


class Day(StrEnum):
    """A day of the week."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


_WEEK = tuple(Day)
_MIDNIGHT = "00:00"


def _quoted(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        raise ValueError(
            f'found the number {value}, which is what YAML makes of {value // 60}:{value % 60:02d}; write "{value // 60:02d}:'
            f'{value % 60:02d}", in quotes'
        )
    return value


Clock = Annotated[str, BeforeValidator(_quoted), Field(pattern=CLOCK)]


class PromotionWindow(Section):
    """Hours of some days of the week, by the clocks of one time zone."""

    days: tuple[Day, ...] = Field(
        default=_WEEK[:5], min_length=1, description="`mon` to `sun`; left out: Monday to Friday"
    )
    begin: Clock = Field(description="from when on a promotion may begin")
    end: Clock = Field(description='from when on it may not; "00:00": midnight, at the end of the day')
    timezone: str = Field(default="UTC", description="as the IANA names it, such as `Europe/Berlin`")

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(
                f"found {name!r}; it must be the IANA name of a time zone, such as UTC or Europe/Berlin"
            ) from error
        return name

    @model_validator(mode="after")
    def _goes_forward(self) -> Self:
        if self.end != _MIDNIGHT and self.end <= self.begin:
            raise ValueError(
                f"it begins at {self.begin} and ends at {self.end}; one that passes midnight is given as two, up to "
                '"00:00" and from "00:00" on'
            )
        return self

    def next_opening(self, now: datetime) -> datetime:
        """Return `now` where the window is open, else when it opens next; the time zone is that of `now`."""
        zone = ZoneInfo(self.timezone)
        today = now.astimezone(zone).date()
        for ahead in range(
            len(_WEEK) + 1
        ):  # today's may be over: then the same day of next week is the last resort
            date = today + timedelta(days=ahead)
            if _WEEK[date.weekday()] not in self.days:
                continue
            last = date + timedelta(days=1) if self.end == _MIDNIGHT else date
            if datetime.combine(last, time.fromisoformat(self.end), zone) > now:
                opens = datetime.combine(date, time.fromisoformat(self.begin), zone)
                return max(opens.astimezone(now.tzinfo), now)
        raise AssertionError("a window of the week that never opens")


def next_opening(windows: Iterable[PromotionWindow], now: datetime) -> datetime:
    """Return `now` where a promotion may begin now, as it always may without windows, else when the next one opens."""
    return min((window.next_opening(now) for window in windows), default=now)
