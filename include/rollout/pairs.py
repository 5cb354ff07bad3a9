"""Pairs, counted: what the captures of both variants say when they are laid side by side, request by request.

Counts and sums are whole numbers, so that partial counts merge exactly: in any grouping and any order the whole is the
same to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

from include.rollout.columns import Columns
from include.rollout.moments import Moments
from include.rollout.pace import Pace
from include.rollout.predictions import Predictions
from include.rollout.sketch import Sketch

MOST_SEGMENTS = 64  # of one name; more make too many guesses to find one that matters


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How pairs agreed. `n` = agreeing + `flips`; all counts are of pairs."""

    n: int = 0
    same: int = 0  # equal to the last digit
    close: int = 0  # equal within the tolerances
    flips: int = 0  # not the same decision; where none is stated, not close
    mismatched: int = 0  # of the flips: one output could not be read, or the sizes differ
    rises: int = 0  # production's first number was below the threshold, the shadow's is not
    falls: int = 0  # the other way round
    wild: int = 0  # whose difference is no number, or out of range: not in `difference`
    difference: Moments = field(default_factory=Moments)  # shadow minus production

    def __add__(self, other: Tally) -> Tally:
        """Return the tally of both."""
        return Tally(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(Tally)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What became of one variant's capture records; `read` is the sum of all that follow but `named`."""

    read: int = 0
    malformed: int = 0  # no record of SageMaker's, or without anything to pair it by
    outside: int = 0  # answered outside the window
    repeated: int = 0  # the same event delivered again
    ambiguous: int = 0  # with an InferenceId that several requests carry
    unmatched: int = 0  # without a record of the other variant
    late: int = 0  # with one that was answered too long before or after
    matched: int = 0
    named: int = 0  # of all but malformed ones: carried an InferenceId

    def __add__(self, other: Records) -> Records:
        """Return the account of both."""
        return Records(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(Records)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """The pairs of a window, or of a shard of it: counts that merge.

    `inputs_squared` is the sum over different inputs of the square of how often each was compared: a request that is
    replayed ten times tells little more than once. `segments` holds a tally per segment and value; a segment with more
    than MOST_SEGMENTS values is only named in `scattered`.
    """

    period: int  # seconds
    production: Records = field(default_factory=Records)
    shadow: Records = field(default_factory=Records)
    unreadable: int = 0  # matched pairs of which neither output could be read: not compared
    all: Tally = field(default_factory=Tally)
    inputs_squared: int = 0
    periods: Mapping[int, tuple[int, int]] = field(default_factory=dict)  # start (epoch s) -> pairs, flips
    segments: Mapping[str, Mapping[str, Tally]] = field(default_factory=dict)
    scattered: frozenset[str] = frozenset()
    differences: Sketch = field(default_factory=Sketch)  # shadow minus production, in units
    outputs: Mapping[str, Sketch] = field(default_factory=dict)  # variant -> its first numbers, in units
    levels: Mapping[str, Moments] = field(default_factory=dict)  # variant -> the same
    columns: Columns = field(default_factory=Columns)  # what else there is: elements of vectors, labels
    # The shadow's first number minus production's, pair by pair.
    shift: Moments = field(default_factory=Moments)
    # Least and greatest hash of production's outputs: equal if all are the same.
    answers: tuple[int, int] | None = None
    latency: Moments = field(default_factory=Moments)  # log(shadow / production) of the container's own times
    latency_ratios: Sketch = field(default_factory=Sketch)  # shadow / production
    paces: Mapping[float, Pace] = field(default_factory=dict)  # margin -> the same times, held against it
    predictions: Predictions | None = None  # a sample of the answers themselves; None: not asked for

    def __add__(self, other: Pairs) -> Pairs:
        """Return the pairs of both; ValueError where their periods differ in length."""
        if self.period != other.period:
            raise ValueError(
                f"pairs by periods of {self.period} s and of {other.period} s cannot be merged; collect them alike"
            )
        periods = dict(self.periods)
        for start, (pairs, flips) in other.periods.items():
            before = periods.get(start, (0, 0))
            periods[start] = (before[0] + pairs, before[1] + flips)
        scattered = self.scattered | other.scattered
        segments: dict[str, Mapping[str, Tally]] = {}
        for name in {*self.segments, *other.segments} - scattered:
            merged = dict(self.segments.get(name, {}))
            for value, tally in other.segments.get(name, {}).items():
                merged[value] = merged.get(value, Tally()) + tally
            if len(merged) > MOST_SEGMENTS:
                scattered |= {name}
            else:
                segments[name] = merged
        return Pairs(
            period=self.period,
            production=self.production + other.production,
            shadow=self.shadow + other.shadow,
            unreadable=self.unreadable + other.unreadable,
            all=self.all + other.all,
            inputs_squared=self.inputs_squared + other.inputs_squared,
            periods=periods,
            segments=segments,
            scattered=scattered,
            differences=self.differences + other.differences,
            outputs={
                v: self.outputs.get(v, Sketch()) + other.outputs.get(v, Sketch())
                for v in {*self.outputs, *other.outputs}
            },
            levels={
                v: self.levels.get(v, Moments()) + other.levels.get(v, Moments())
                for v in {*self.levels, *other.levels}
            },
            shift=self.shift + other.shift,
            columns=self.columns + other.columns,
            answers=_span(self.answers, other.answers),
            latency=self.latency + other.latency,
            latency_ratios=self.latency_ratios + other.latency_ratios,
            paces={
                margin: self.paces.get(margin, Pace()) + other.paces.get(margin, Pace())
                for margin in {*self.paces, *other.paces}
            },
            predictions=self.predictions + other.predictions
            if self.predictions is not None and other.predictions is not None
            else self.predictions or other.predictions,
        )

    @property
    def is_constant(self) -> bool:
        """Say whether production gave one and the same answer to everything that was compared."""
        return self.answers is not None and self.answers[0] == self.answers[1]

    @property
    def repetition(self) -> float:
        """Return how many pairs are worth one: 1 where every input was compared once."""
        return max(1.0, self.inputs_squared / self.all.n) if self.all.n else 1.0

    def to_document(self) -> dict[str, Any]:
        """Return a JSON-safe form that `from_document` reads back; sums are texts, they outgrow JSON's numbers."""
        document = {
            "period": self.period,
            "production": _plain(self.production),
            "shadow": _plain(self.shadow),
            "unreadable": self.unreadable,
            "all": _tally(self.all),
            "inputs_squared": self.inputs_squared,
            "periods": {str(start): list(self.periods[start]) for start in sorted(self.periods)},
            "segments": {
                name: {value: _tally(values[value]) for value in sorted(values)}
                for name, values in sorted(self.segments.items())
            },
            "scattered": sorted(self.scattered),
            "differences": self.differences.to_document(),
            "outputs": {v: self.outputs[v].to_document() for v in sorted(self.outputs)},
            "levels": {v: self.levels[v].to_document() for v in sorted(self.levels)},
            "shift": self.shift.to_document(),
            "answers": None if self.answers is None else [str(number) for number in self.answers],
            "latency": self.latency.to_document(),
            "latency_ratios": self.latency_ratios.to_document(),
        }
        # Only where there are any: what was stored without them keeps its digest.
        if self.columns:
            document["columns"] = self.columns.to_document()
        if self.paces:
            document["paces"] = {
                repr(margin): pace.to_document() for margin, pace in sorted(self.paces.items())
            }
        if self.predictions is not None:
            document["predictions"] = self.predictions.to_document()
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_document` wrote; unknown keys of the enclosing ledger object are ignored."""
        return cls(
            period=document["period"],
            production=Records(**document["production"]),
            shadow=Records(**document["shadow"]),
            unreadable=document["unreadable"],
            all=_tally_of(document["all"]),
            inputs_squared=document["inputs_squared"],
            periods={
                int(start): (int(pairs), int(flips)) for start, (pairs, flips) in document["periods"].items()
            },
            segments={
                name: {value: _tally_of(tally) for value, tally in values.items()}
                for name, values in document["segments"].items()
            },
            scattered=frozenset(document["scattered"]),
            differences=Sketch.from_document(document["differences"]),
            outputs={v: Sketch.from_document(sketch) for v, sketch in document["outputs"].items()},
            levels={v: Moments.from_document(moments) for v, moments in document["levels"].items()},
            shift=Moments.from_document(document["shift"]),
            columns=Columns.from_document(document["columns"]) if document.get("columns") else Columns(),
            answers=None if document["answers"] is None else _two(document["answers"]),
            latency=Moments.from_document(document["latency"]),
            latency_ratios=Sketch.from_document(document["latency_ratios"]),
            paces={
                float(margin): Pace.from_document(pace)
                for margin, pace in (document.get("paces") or {}).items()
            },
            predictions=None
            if document.get("predictions") is None
            else Predictions.from_document(document["predictions"]),
        )


def _span(one: tuple[int, int] | None, other: tuple[int, int] | None) -> tuple[int, int] | None:
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), max(one[1], other[1])


def _two(texts: Sequence[str]) -> tuple[int, int]:
    least, greatest = (int(text) for text in texts)
    return least, greatest


def _plain(value: Records | Tally) -> dict[str, Any]:
    return {f.name: getattr(value, f.name) for f in fields(value)}


def _tally(value: Tally) -> dict[str, Any]:
    return {**_plain(value), "difference": value.difference.to_document()}


def _tally_of(document: Mapping[str, Any]) -> Tally:
    return Tally(**{**document, "difference": Moments.from_document(document["difference"])})
