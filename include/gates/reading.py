"""One reading of the gates: how often they are read, and what the running evidence already rejected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from include.gates import wording
from include.rollout.gate import Finding, Gate, Outcome
from include.stats.spending import reading_alphas

MOST_READINGS = 2  # at the window's end and once more after its extension


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """Running evidence that a gate's limit does not hold."""

    log_e: float  # when it crossed
    bar: float  # what it had to reach, as a log
    periods: int  # after how many periods of the window it did
    shared: int = 1  # e-processes that were averaged

    @property
    def words(self) -> str:
        """Say how strong the evidence was, and when."""
        over = "" if self.shared == 1 else f", averaged over {self.shared} measures,"
        return (
            f"the evidence against that limit{over} reached {wording.evidence(self.log_e)} "
            f"after {wording.periods(self.periods)}, where {wording.evidence(self.bar)} is enough"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an expectation that a spec asks of the predictions answered."""

    success: bool
    raised: str | None = None  # the message of what it raised instead
    observed: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The first or second reading of the fixed-sample gates, or none (0) when the window is cut short.

    Both readings together keep a gate's alpha; `fraction` says how it is spread over them. What is told of a window
    that was cut short is not read by an alpha, so its intervals have the whole of it.
    """

    number: int
    fraction: float = 0.5  # of the longest window when gates are first read; the default is the window's
    contradictions: Mapping[str, Contradiction] = field(default_factory=dict)
    log_es: Mapping[str, float] = field(default_factory=dict)  # gate -> log e after the last period
    answers: Mapping[str, Answer] = field(default_factory=dict)  # gate -> what its expectation answered

    def __post_init__(self) -> None:
        if self.number not in (0, 1, MOST_READINGS):
            raise ValueError(
                f"reading {self.number} was asked for; gates are read once or twice, and 0 says that they are not"
            )

    @property
    def is_final(self) -> bool:
        """Say whether fixed-sample statistics may be read at all."""
        return self.number > 0

    def alpha(self, gate: Gate) -> float:
        """Return the error this one reading may make."""
        return gate.alpha if not self.number else reading_alphas(gate.alpha, self.fraction)[self.number - 1]

    def finding(self, gate: Gate, outcome: Outcome, reason: str, **facts: Any) -> Finding:
        """Return a finding of `gate` with its running evidence, if it has any."""
        details = dict(facts.pop("details", {}))
        found = self.contradictions.get(gate.name)
        if found is not None:
            details["crossed_after"] = found.periods
            details["log_e_needed"] = found.bar
        return Finding(
            gate=gate.name,
            kind=gate.kind,
            severity=gate.severity,
            outcome=outcome,
            reason=reason,
            log_e=self.log_es.get(gate.name),
            details=details,
            **facts,
        )
