"""What no person can pass over: a shadow that nobody measured, and a fixed limit that it breaks."""

from __future__ import annotations

from include.gates.look import look_at
from include.gates.reading import Reading
from include.gates.rules import assess
from include.gates.table import Table
from include.ledger.objects import Kind
from include.rollout.evidence import Evidence
from include.rollout.gate import (
    DriftGate,
    ErrorThresholdGate,
    Finding,
    GatePolicy,
    LatencyThresholdGate,
    Outcome,
)
from include.rollout.operating import CostGate, SaturationGate
from include.stats.calibration import Noise
from include.steps.noise import noise_of, policy_of
from include.steps.rollout import Rollout

_FIXED = (ErrorThresholdGate, LatencyThresholdGate, CostGate, DriftGate, SaturationGate)


def unseen(rollout: Rollout) -> str | None:
    """Say why a promotion would be blind: no period was measured of both variants in an open window; None if one was.

    The last look's numbers are sums since the window's begin.
    """
    opened = rollout.ledger.read(Kind.WINDOW)
    looks = rollout.ledger.keys(f"{Kind.TICK}/") if opened is not None and opened["closed"] is None else []
    if looks:
        last = rollout.ledger.require(looks[-1])
        if min(last[role]["invocations"] for role in ("production", "shadow")) > 0:
            return None
    return "no period of both variants was measured yet"


def objection(rollout: Rollout) -> tuple[Finding | None, str] | None:
    """Say what stands against a person's wish to promote, with the finding of a limit that is broken; None for nothing."""
    blind = unseen(rollout)
    readings = rollout.ledger.keys(f"{Kind.EVIDENCE}/")
    if blind is not None or not readings:
        return None, blind or "nothing was read of the window"
    evidence = Evidence.from_document(rollout.ledger.require(readings[-1]))
    if not Table.of(evidence).used.any():
        return None, "no period of the window was measured of both variants"
    found = broken_limit(evidence, policy_of(rollout), noise_of(rollout))
    return None if found is None else (found, f"gate {found.gate} fails: {found.reason}")


def broken_limit(evidence: Evidence, policy: GatePolicy, noise: Noise) -> Finding | None:
    """Return the first critical gate with a fixed limit that fails on what was seen so far, or None.

    A window that was cut short leaves these gates unread, since nothing may pass on a length that was not planned. What
    they would refuse counts all the same, so they are read here as at a window's end; no PASS of theirs is used.
    """
    rules = tuple(rule for rule in policy.rules if isinstance(rule, _FIXED))
    table = Table.of(evidence)
    found = look_at(table, policy.model_copy(update={"rules": rules}), readings=True, noise=noise)
    reading = Reading(number=1, fraction=1.0, contradictions=found.contradictions, log_es=found.log_es)
    findings = (assess(rule, table, reading, noise) for rule in rules)
    return next((each for each in findings if each.binds and each.outcome is Outcome.FAIL), None)
