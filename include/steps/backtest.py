"""Judge stored rollouts again: by their own policy, to see that nothing moved, or by another, to see who would have changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from include.gates.document import digest
from include.gates.judge import finding_of, judge
from include.ledger.objects import Kind
from include.ledger.reader import Record
from include.rollout.evidence import Evidence
from include.rollout.gate import Finding, GatePolicy
from include.rollout.spec import Mode, RolloutSpec, recall
from include.rollout.verdict import Verdict, deciding
from include.stats.calibration import PRIOR, Noise
from include.steps.judge import finding_document
from include.steps.noise import with_flips
from include.steps.observe import Closed

# What is the same however often the same evidence is judged by the same policy.
_COMPARED = ("gate", "outcome", "reason", "effect", "low", "high")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejudged:
    """A rollout's verdict then and now, each with the gate that decided and its reason."""

    rollout: str
    spec: str
    opened: datetime | None
    then: Verdict
    now: Verdict
    gate: str
    reason: str
    cut_short: (
        bool  # the evidence ends where the window was cut short, so a laxer policy can only stay inconclusive
    )
    same_evidence: bool  # the stored evidence is the one that was judged: its digest is the verdict's
    same_findings: bool  # each gate's outcome, reason, effect and interval; always False under another policy

    @property
    def changed(self) -> bool:
        """Say whether the rollout would have had another verdict."""
        return self.then is not self.now


def rejudge(record: Record, policy: GatePolicy | None = None) -> Rejudged | None:
    """Judge a stored rollout's last reading by `policy`, or by its own where none is given.

    The noise is that which the rollout was judged with. None for a rollout that was never judged, and for an A/A
    rollout, whose verdict means nothing. Evidence that does not say what a gate needs makes that gate inconclusive.
    """
    readings = record.all(Kind.FINDING)
    verdict, stored = record.get(Kind.VERDICT), record.get(Kind.SPEC)
    if not readings or verdict is None or stored is None:
        return None
    spec: RolloutSpec = recall(stored["spec"], f"the stored spec of rollout {record.rollout_id}")
    if spec.mode is Mode.AA:
        return None
    number, reading = list(readings.items())[-1]
    evidence = record.get(f"{Kind.EVIDENCE}/{number}")
    if evidence is None:
        return None
    read = Evidence.from_document(evidence)
    cut_short = Closed(reading["closed"]).is_early
    noise = record.get(Kind.NOISE)
    judgement = judge(
        read,
        with_flips(policy or spec.gates, spec, noise),
        reading=int(number),
        fraction=spec.window.first_reading,
        aborting=cut_short,
        noise=PRIOR if noise is None else Noise(**noise["noise"]),
    )
    decided = deciding(judgement.findings)
    before = [finding_of(document) for document in reading["findings"]]
    return Rejudged(
        rollout=record.rollout_id,
        spec=str(stored["name"]),
        opened=record.opened,
        then=Verdict(verdict["verdict"]),
        now=judgement.verdict,
        gate=decided.gate if decided else "",
        reason=decided.reason if decided else "every gate that binds passed",
        cut_short=cut_short,
        same_evidence=judgement.evidence_digest == verdict["evidence"] == digest(read.to_document()),
        same_findings=policy is None and _told(before) == _told(judgement.findings),
    )


def _told(findings: list[Finding] | tuple[Finding, ...]) -> list[dict[str, Any]]:
    return [{name: finding_document(finding)[name] for name in _COMPARED} for finding in findings]
