"""What became of every scheduled request: the account of a replay, mergeable in any order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, TypeVar

from include.replay.histogram import Histogram

SCHEMA = 1

_K = TypeVar("_K")


class FailureKind(StrEnum):
    """Why a request that was sent has no good answer."""

    CLIENT_ERROR = "client_error"  # any status that is none of the others: 4xx, a redirect
    MODEL_ERROR = "model_error"  # 424: the container answered other than 2xx, or not at all
    THROTTLED = "throttled"  # 429, or 400 with a throttling error type
    SERVER_ERROR = "server_error"  # 5xx
    TIMEOUT = "timeout"  # no complete answer within the target's timeout
    CONNECTION = "connection"  # refused, reset, cut off in the middle of the answer, or not HTTP
    ABANDONED = "abandoned"  # the replay was stopped while the answer was still awaited


@dataclass(frozen=True, kw_only=True)
class Period:
    """Counts of one stretch of time, by the moment requests were scheduled for."""

    scheduled: int = 0
    answered: int = 0
    failed: int = 0
    shed: int = 0

    def __post_init__(self) -> None:
        _add_up(self.scheduled, self.answered, self.failed, self.shed)

    def __add__(self, other: Period) -> Period:
        """Merge by addition."""
        return Period(
            scheduled=self.scheduled + other.scheduled,
            answered=self.answered + other.answered,
            failed=self.failed + other.failed,
            shed=self.shed + other.shed,
        )


@dataclass(frozen=True, kw_only=True)
class Account:
    """Every scheduled request is answered, failed or shed, exactly once; nothing else can be built.

    `latency` counts from the *scheduled* time (no coordinated omission), `service` from the time of
    sending; both hold every request that got an HTTP answer of any status, and timeouts with the
    time that was waited. `lateness` is the sender's own delay, scheduled to sent, of every request
    that was sent. `periods` is keyed by the epoch second at which a period begins. `warm_up` counts
    requests that were sent before counting began and `spared` those that were left out because live
    traffic stood in for them; both appear nowhere else.
    """

    scheduled: int = 0
    answered: int = 0
    failed: Mapping[FailureKind, int] = field(default_factory=dict)
    shed: int = 0
    started: float | None = None  # epoch seconds: the first scheduled time
    ended: float | None = None  # epoch seconds: the last outcome
    latency: Histogram = field(default_factory=Histogram)
    service: Histogram = field(default_factory=Histogram)
    lateness: Histogram = field(default_factory=Histogram)
    statuses: Mapping[int, int] = field(default_factory=dict)  # HTTP status → answers
    period: int = 10  # seconds
    periods: Mapping[int, Period] = field(default_factory=dict)
    warm_up: int = 0
    spared: int = 0

    def __post_init__(self) -> None:
        _add_up(self.scheduled, self.answered, self.failures, self.shed)
        counts = (*self.failed.values(), *self.statuses.values(), self.warm_up, self.spared)
        if any(count < 0 for count in counts):
            msg = "an account has a negative count; counts are at least 0"
            raise ValueError(msg)
        if (self.started is None) != (self.scheduled == 0) or (self.started is None) != (self.ended is None):
            msg = "an account has a start and an end exactly when something was scheduled"
            raise ValueError(msg)
        if self.lateness.count != self.scheduled - self.shed:
            msg = f"{self.lateness.count} requests have a lateness; {self.scheduled - self.shed} were sent"
            raise ValueError(msg)

    @property
    def failures(self) -> int:
        """Return the number of failed requests of all kinds."""
        return sum(self.failed.values())

    @property
    def sent(self) -> int:
        """Return how many requests left: all but those that were shed."""
        return self.scheduled - self.shed

    def sent_between(self, first: float, last: float) -> int:
        """Return how many requests left of those scheduled in the periods that begin in [first, last) epoch seconds."""
        inside = (counts for start, counts in self.periods.items() if first <= start < last)
        return sum(counts.scheduled - counts.shed for counts in inside)

    def __add__(self, other: Account) -> Account:
        """Merge; associative and commutative. Accounts of different periods raise ValueError."""
        if self.period != other.period and self.periods and other.periods:
            msg = f"accounts have periods of {self.period} and {other.period} s; only equal ones merge"
            raise ValueError(msg)
        return Account(
            scheduled=self.scheduled + other.scheduled,
            answered=self.answered + other.answered,
            failed=_sum_counts(self.failed, other.failed),
            shed=self.shed + other.shed,
            started=min((at for at in (self.started, other.started) if at is not None), default=None),
            ended=max((at for at in (self.ended, other.ended) if at is not None), default=None),
            latency=self.latency + other.latency,
            service=self.service + other.service,
            lateness=self.lateness + other.lateness,
            statuses=_sum_counts(self.statuses, other.statuses),
            period=self.period if self.periods or not other.periods else other.period,
            periods={
                start: self.periods.get(start, Period()) + other.periods.get(start, Period())
                for start in sorted({*self.periods, *other.periods})
            },
            warm_up=self.warm_up + other.warm_up,
            spared=self.spared + other.spared,
        )

    @classmethod
    def merged(cls, accounts: Iterable[Account]) -> Account:
        """Return the sum of any number of accounts; none at all is the empty account."""
        return sum(accounts, cls())

    def to_document(self) -> dict[str, Any]:
        """Return JSON-safe fields: no NaN, no infinity, only string keys."""
        return {
            "schema": SCHEMA,
            "scheduled": self.scheduled,
            "answered": self.answered,
            "failed": {kind.value: count for kind, count in sorted(self.failed.items())},
            "shed": self.shed,
            "started": self.started,
            "ended": self.ended,
            "latency": self.latency.to_document(),
            "service": self.service.to_document(),
            "lateness": self.lateness.to_document(),
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "period": self.period,
            "periods": {
                str(start): {f.name: getattr(counts, f.name) for f in fields(Period)}
                for start, counts in sorted(self.periods.items())
            },
            "warm_up": self.warm_up,
            "spared": self.spared,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Account:
        """Read what `to_document` wrote; another schema raises ValueError."""
        if document["schema"] != SCHEMA:
            msg = f"a replay account has schema {document['schema']}; this version reads {SCHEMA}"
            raise ValueError(msg)
        return cls(
            scheduled=document["scheduled"],
            answered=document["answered"],
            failed={FailureKind(kind): count for kind, count in document["failed"].items()},
            shed=document["shed"],
            started=document["started"],
            ended=document["ended"],
            latency=Histogram.from_document(document["latency"]),
            service=Histogram.from_document(document["service"]),
            lateness=Histogram.from_document(document["lateness"]),
            statuses={int(status): count for status, count in document["statuses"].items()},
            period=document["period"],
            periods={int(start): Period(**counts) for start, counts in document["periods"].items()},
            warm_up=document["warm_up"],
            spared=document.get("spared", 0),  # accounts from before there was a top-up have none
        )


def _add_up(scheduled: int, answered: int, failed: int, shed: int) -> None:
    if min(scheduled, answered, failed, shed) < 0:
        msg = "a replay has a negative count; counts are at least 0"
        raise ValueError(msg)
    if scheduled != answered + failed + shed:
        msg = (
            f"{scheduled} requests were scheduled but {answered} answered + {failed} failed + {shed} shed "
            f"make {answered + failed + shed}; every request must be counted exactly once"
        )
        raise ValueError(msg)


def _sum_counts(one: Mapping[_K, int], other: Mapping[_K, int]) -> dict[_K, int]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in [*one, *(k for k in other if k not in one)]}
