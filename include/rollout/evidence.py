"""Evidence: what was measured of both variants, period by period, in one value that can be stored and digested."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from include.rollout.fleet import Fleet
from include.rollout.names import moment, timestamp
from include.rollout.pairs import Pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """What CloudWatch holds of one variant for one period; `None` where there was no datapoint.

    Error metrics are sparse: an absent error metric counts as 0 where Invocations is present.
    """

    start: datetime
    invocations: float | None = None
    errors: Mapping[str, float] = field(default_factory=dict)  # metric name -> count
    latency: Mapping[str, float] = field(default_factory=dict)  # quantile ("p50") -> microseconds
    slower: Mapping[str, float] = field(default_factory=dict)  # threshold label -> requests slower than it
    overhead: Mapping[str, float] = field(default_factory=dict)  # quantile -> microseconds
    # "CPUUtilization.maximum", ".average" ... -> percent as AWS has it: of one core, or one GPU
    utilization: Mapping[str, float] = field(default_factory=dict)

    def to_document(self) -> dict[str, Any]:
        """Return a JSON-safe form that `from_document` reads back."""
        return {
            "start": timestamp(self.start),
            "invocations": self.invocations,
            "errors": dict(self.errors),
            "latency": dict(self.latency),
            "slower": dict(self.slower),
            "overhead": dict(self.overhead),
            "utilization": dict(self.utilization),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_document` wrote."""
        return cls(**{**document, "start": moment(document["start"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A latency fixed before the window, to count the requests slower than it.

    Production's count uses `production_us`, the shadow's (1 + margin) times that.
    """

    label: str  # the quantile it was read at, e.g. "p90"
    production_us: float
    shadow_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampling:
    """A change of the sampling while both variants served: the old share up to `after`, the new one from `by` on.

    What was copied in between is not known. `by` is None while the change is under way.
    """

    after: datetime
    by: datetime | None
    sampling: float  # the new one

    def __post_init__(self) -> None:
        if not 0 <= self.sampling <= 1 or (self.by is not None and self.by < self.after):
            raise ValueError(
                f"sampling {self.sampling:g} from {self.by} on, and not up to {self.after}; a share is between 0 and 1, and "
                "a change ends after it began"
            )

    def to_document(self) -> dict[str, Any]:
        """Return a JSON-safe form that `from_document` reads back."""
        return {
            "after": timestamp(self.after),
            "by": None if self.by is None else timestamp(self.by),
            "sampling": self.sampling,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_document` wrote."""
        by = document["by"]
        return cls(
            after=moment(document["after"]),
            by=None if by is None else moment(by),
            sampling=document["sampling"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Both variants over [begin, end), in periods of `period` seconds.

    Periods may be missing, out of step between the variants, or hold None; whoever judges drops a period
    for both variants when it is missing for one. `whole` holds percentiles over the whole window, read as
    one period: {"production": {"p99": microseconds}, "shadow": {...}}.
    """

    begin: datetime
    end: datetime
    period: int
    sampling: float  # share of requests copied to the shadow, 0 < sampling <= 1, before any resampling
    production: tuple[Period, ...]
    shadow: tuple[Period, ...]
    whole: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    thresholds: tuple[Threshold, ...] = ()
    stable: bool = True  # two reads in a row agreed
    pairs: Pairs | None = None  # what captures of both variants say, request by request; None: not asked for
    # of "production" and "shadow", and what would serve once "promoted"; empty: not asked for
    fleets: Mapping[str, Fleet] = field(default_factory=dict)
    resamplings: tuple[Resampling, ...] = ()  # in the order in which they came

    @property
    def expected(self) -> tuple[datetime, ...]:
        """List the start of every period that should have been measured."""
        count = max(0, int((self.end - self.begin).total_seconds() // self.period))
        return tuple(self.begin + timedelta(seconds=self.period * i) for i in range(count))

    def to_document(self) -> dict[str, Any]:
        """Return a JSON-safe form that `from_document` reads back."""
        document = {
            "begin": timestamp(self.begin),
            "end": timestamp(self.end),
            "period": self.period,
            "sampling": self.sampling,
            "production": [period.to_document() for period in self.production],
            "shadow": [period.to_document() for period in self.shadow],
            "whole": {variant: dict(values) for variant, values in self.whole.items()},
            "thresholds": [
                {"label": t.label, "production_us": t.production_us, "shadow_us": t.shadow_us}
                for t in self.thresholds
            ],
            "stable": self.stable,
        }
        # Only where there are any: what was stored without them keeps its digest.
        if self.pairs is not None:
            document["pairs"] = self.pairs.to_document()
        if self.fleets:
            document["fleets"] = {name: fleet.to_document() for name, fleet in self.fleets.items()}
        if self.resamplings:
            document["resamplings"] = [change.to_document() for change in self.resamplings]
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_document` wrote; unknown keys of the enclosing ledger object are ignored."""
        return cls(
            begin=moment(document["begin"]),
            end=moment(document["end"]),
            period=document["period"],
            sampling=document["sampling"],
            production=tuple(Period.from_document(p) for p in document["production"]),
            shadow=tuple(Period.from_document(p) for p in document["shadow"]),
            whole=document["whole"],
            thresholds=tuple(Threshold(**t) for t in document["thresholds"]),
            stable=document["stable"],
            pairs=None if document.get("pairs") is None else Pairs.from_document(document["pairs"]),
            fleets={name: Fleet(**fleet) for name, fleet in document.get("fleets", {}).items()},
            resamplings=tuple(Resampling.from_document(d) for d in document.get("resamplings", ())),
        )
