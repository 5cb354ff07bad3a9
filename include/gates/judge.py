"""The judge: evidence and gates in, findings, a verdict and the whole validation result out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from include.gates.document import digest, raised
from include.gates.latency import abreast
from include.gates.look import Look, look_at
from include.gates.reading import Reading
from include.gates.table import Table
from include.rollout.evidence import Evidence
from include.rollout.gate import Finding, Gate, GatePolicy, Outcome
from include.rollout.rule import Severity
from include.rollout.verdict import Verdict, fold
from include.stats.calibration import PRIOR, Noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What all gates found at one reading of the evidence."""

    findings: tuple[Finding, ...]  # in the order of the policy
    verdict: Verdict
    reading: int  # 1 or 2; 0 when the window was cut short
    look: Look
    validation: Mapping[str, Any]  # Great Expectations' result, plain JSON, whole
    evidence_digest: str  # SHA-256 of the evidence's canonical JSON


def judge(
    evidence: Evidence,
    policy: GatePolicy,
    *,
    reading: int,
    fraction: float = 0.5,
    aborting: bool = False,
    noise: Noise = PRIOR,
) -> Judgement:
    """Return every gate's finding and the verdict they fold into; the same evidence has the same findings.

    `reading` is 1 at the window's end and 2 after its extension, `fraction` the window's share of the extended one:
    fixed-sample gates spread their alpha over both readings by it. With `aborting` the window was cut short by a
    look: fixed-sample gates are not read, so nothing new passes and only what the running evidence contradicts can
    fail. `noise` is what equal variants on this endpoint differ by, the stated prior until it was calibrated. A gate
    that raises, returns nothing or is contradicted by its own stock expectations is INCONCLUSIVE, never PASS or FAIL.

    Raises ValueError if `reading` is neither 1 nor 2.
    """
    if reading not in (1, 2):
        raise ValueError(f"reading is {reading}; gates are read once (1) or once more after an extension (2)")
    from include.gates.expectation import validate

    number = 0 if aborting else reading
    table = Table.of(evidence)
    found = look_at(table, policy, readings=not aborting, noise=noise)
    result = validate(
        table,
        policy.rules,
        reading=number,
        fraction=fraction,
        contradictions=found.contradictions,
        log_es=found.log_es,
        noise=noise,
    )
    findings = abreast(
        [_with_curve(_finding(gate, result), found) for gate in policy.rules], policy.rules, table, noise
    )
    return Judgement(
        findings=findings,
        verdict=fold(findings),
        reading=number,
        look=found,
        validation=result,
        evidence_digest=digest(evidence.to_document()),
    )


def _finding(gate: Gate, result: Mapping[str, Any]) -> Finding:
    """Read one gate's finding out of the validation result: outcome from the details, never from `success`."""
    statistics: list[Mapping[str, Any]] = []
    guards: list[Mapping[str, Any]] = []
    for entry in result.get("results", ()):
        meta = entry["expectation_config"]["meta"]
        if meta["role"] == "guard" and meta["gate"] in (gate.name, "*"):
            guards.append(entry)
        elif meta["role"] == "statistic" and meta["gate"] == gate.name:
            statistics.append(entry)
    if len(statistics) != 1:
        return _silent(gate, f"{len(statistics)} results came back where one was expected")
    entry = statistics[0]
    details = (entry.get("result") or {}).get("details")
    if not details:
        return _silent(gate, f"the gate could not be computed: {raised(entry) or 'it returned nothing'}")
    finding = finding_of(details)
    broken = [guard for guard in guards if guard.get("success") is not True]
    if finding.outcome is Outcome.PASS and broken:
        names = ", ".join(str(guard["expectation_config"]["type"]) for guard in broken)
        return replace(
            finding,
            outcome=Outcome.INCONCLUSIVE,
            reason=f"{finding.reason}; but this does not hold of the evidence: {names}",
        )
    return finding


def finding_of(document: Mapping[str, Any]) -> Finding:
    """Return the finding that a stored document holds."""
    return Finding(
        **{
            **document,
            "severity": Severity(document["severity"]),
            "outcome": Outcome(document["outcome"]),
        }
    )


def _with_curve(finding: Finding, found: Look) -> Finding:
    """Put the evidence curve beside the finding: a chart needs it, a validation result does not."""
    curve = found.curves.get(finding.gate)
    if curve is None:
        return finding
    told = {"log_e_curve": [round(value, 4) for value in curve], "log_e_needed": found.bar}
    return replace(finding, details={**finding.details, **told})


def _silent(gate: Gate, reason: str) -> Finding:
    return Reading(number=0).finding(gate, Outcome.INCONCLUSIVE, reason)
