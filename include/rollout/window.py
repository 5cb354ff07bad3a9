"""The window: how long a rollout looks, in whole periods, and what of it can be read at a moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, Self

from pydantic import Field, model_validator

from include.rollout.section import Section

_KEPT = ((60, 3 * 3600), (300, 15 * 86400), (3600, 63 * 86400))  # CloudWatch: below a period, for how long
# Seconds that the last reading may take after the lag: the task that waits for it, and its repeats.
_READING = 900


def kept(period: int) -> int:
    """Return the seconds that a window with its lag may last so that its begin can still be read at its end.

    CloudWatch answers no points to a request that begins more than 3 hours ago unless its period is a multiple of a
    minute, 15 days unless it is one of 5 minutes, 63 days unless it is one of an hour (GetMetricData).
    """
    return next(seconds for step, seconds in _KEPT if period % step) - _READING


def floor_to(moment: datetime, period: int) -> datetime:
    """Return the start of the period (seconds since the epoch, UTC) that `moment` lies in."""
    seconds = int(moment.timestamp()) // period * period
    return datetime.fromtimestamp(seconds, UTC)


def ceil_to(moment: datetime, period: int) -> datetime:
    """Return the first start of a period that is not before `moment`."""
    floor = floor_to(moment, period)
    return floor if floor == moment else floor + timedelta(seconds=period)


class WindowSection(Section):
    """How long we look, in seconds."""

    period: Literal[10, 30, 60, 120, 180, 240, 300] = Field(
        default=60, description="the metrics' resolution; below 60 needs enhanced metrics"
    )
    warm_up: int = Field(
        default=300, ge=0, le=86400, description="discarded for both variants after traffic was seen on both"
    )
    length: int = Field(default=3600, ge=10, le=30 * 86400, description="length of the window")
    maximum: int = Field(
        default=7200,
        ge=10,
        le=30 * 86400,
        description="length after the one extension of an inconclusive window",
    )
    lag: int = Field(default=180, ge=0, le=3600, description="how far behind now CloudWatch is read")
    opening: int = Field(
        default=900, ge=10, le=86400, description="how long to wait for traffic on both variants"
    )

    @property
    def first_reading(self) -> float:
        """Return the share of the longest window that is over when the gates are first read; 1: they are read once."""
        return self.length / self.maximum

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = []
        for field in ("length", "maximum"):
            if getattr(self, field) % self.period:
                problems.append(
                    f"{field} is {getattr(self, field)}; it must be a multiple of period ({self.period})"
                )
        if self.maximum < self.length:
            problems.append(f"maximum is {self.maximum}; it must be at least length ({self.length})")
        if self.maximum + self.lag > kept(self.period):
            problems.append(
                f"maximum is {self.maximum} with period {self.period}; CloudWatch gives such periods back for "
                f"{kept(self.period)} s only (lag included), and then the window's begin is gone: take a longer period "
                "or a shorter maximum"
            )
        if problems:
            raise ValueError("; ".join(problems))
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """[begin, end) in whole periods, after the warm-up; CloudWatch is read `lag` seconds behind.

    `opened` is the moment from which traffic was seen on both variants.
    """

    opened: datetime
    period: int  # seconds
    warm_up: int  # seconds after `opened` that are discarded for both variants
    length: int  # seconds
    lag: int  # seconds

    @property
    def begin(self) -> datetime:
        """Return the start of the first period that counts."""
        return ceil_to(self.opened + timedelta(seconds=self.warm_up), self.period)

    @property
    def end(self) -> datetime:
        """Return the end of the last period that counts."""
        periods = -(-self.length // self.period)
        return self.begin + timedelta(seconds=periods * self.period)

    def readable(self, now: datetime) -> datetime:
        """Return the end of the last whole period that can be trusted at `now`; never past the window's end."""
        until = floor_to(now - timedelta(seconds=self.lag), self.period)
        return min(max(until, self.begin), self.end)

    def next_look(self, seen: datetime) -> datetime:
        """Return when the period after `seen` becomes readable."""
        return seen + timedelta(seconds=self.period + self.lag)
