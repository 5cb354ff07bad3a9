"""Ask the judge: read the closed window until it is stable, run every gate, write findings and verdict."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from include.gates.judge import finding_of, judge
from include.ledger.objects import Kind, finding_key
from include.rollout.errors import CloudError
from include.rollout.evidence import Evidence
from include.rollout.gate import Finding
from include.rollout.names import moment, timestamp
from include.rollout.spec import Mode
from include.rollout.verdict import Verdict, deciding
from include.rollout.window import Window
from include.steps.fleets import fleets_of
from include.steps.noise import noise_of, policy_of
from include.steps.observe import Closed, read, window_of
from include.steps.pairs import gather
from include.steps.rollout import Rollout, Wait
from include.steps.wishes import asked_extension

_READS = 5  # of the closed window, at most, until two agree
_SILENT = "silent"  # the phase of a wait for an AWS that does not answer
_PATIENCE = timedelta(minutes=15)  # with it, as long as the trigger of the window has
_ASK_AGAIN = 30.0


def take_reading(
    rollout: Rollout,
    closed: Closed,
    wait: Wait | None = None,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Verdict | Wait:
    """Judge what the window showed and return the verdict of this reading, or what to wait for before that.

    The first reading is at the window's planned end or at an abort, the second after the one extension; each is
    written once and found again by whoever comes later, so that a resumed task cannot change a verdict. A window that
    was cut short, by evidence or by a person, passes nothing new: its length was not planned.

    It waits for captures that are not all there yet, see `gather`, and 15 minutes for an AWS that does not answer,
    counted from its first silence by this machine's clock, since the service's may be what is silent. Raises CloudError
    after that, or at once for what asking again cannot mend.
    """
    say = rollout.headline("judge")
    try:
        return _reading(rollout, closed, sleep)
    except CloudError as error:
        now = datetime.now(UTC)
        until = wait.until if wait is not None and wait.phase == _SILENT else now + _PATIENCE
        if not error.transient or now >= until:
            raise
        say(f"{error} Asking again in {_ASK_AGAIN:.0f} s, until {until:%H:%M:%S} UTC at most.")
        return Wait(what="AWS to answer", every=_ASK_AGAIN, until=until, phase=_SILENT)


def _reading(rollout: Rollout, closed: Closed, sleep: Callable[[float], None]) -> Verdict | Wait:
    ledger = rollout.ledger
    reading = 2 if ledger.read(Kind.EXTENSION) is not None else 1
    known = ledger.read(finding_key(str(reading)))
    say = rollout.headline("judge")
    if known is None:
        opened = ledger.require(Kind.WINDOW)
        window = window_of(
            rollout.spec, moment(opened["opened"]), extended=reading == 2, longer=asked_extension(rollout)
        )
        evidence = _measured(rollout, window, closed, reading, sleep)
        pairs = gather(rollout, window, evidence)
        if isinstance(pairs, Wait):
            return pairs
        evidence = replace(evidence, pairs=pairs)
        stored = rollout.write(f"{Kind.EVIDENCE}/{reading}", evidence.to_document())
        evidence = Evidence.from_document(stored)
        say(f"reading {reading}: judging {len(evidence.production)} periods until {timestamp(evidence.end)}")
        judgement = judge(
            evidence,
            policy_of(rollout),
            reading=reading,
            fraction=rollout.spec.window.first_reading,
            aborting=closed.is_early,
            noise=noise_of(rollout),
        )
        rollout.write(f"{Kind.VALIDATION}/{reading}", {"result": judgement.validation})
        known = rollout.write(
            finding_key(str(reading)),
            {
                "reading": reading,
                "closed": closed.value,
                "verdict": judgement.verdict.value,
                "findings": [finding_document(finding) for finding in judgement.findings],
                "evidence": judgement.evidence_digest,
            },
        )
        for finding in judgement.findings:
            say(f"{finding.outcome.value:<12} {finding.gate}: {finding.reason}")
    say(f"reading {reading}: {known['verdict']}")
    return Verdict(known["verdict"])


def extend(rollout: Rollout) -> bool:
    """Extend an inconclusive window to its maximum, once; False when that is not to be."""
    spec, ledger = rollout.spec, rollout.ledger
    if spec.mode is Mode.AA:
        return False  # it was planned to measure for so long, whatever the gates say of equal variants
    if spec.window.maximum <= spec.window.length or ledger.read(Kind.EXTENSION) is not None:
        return False
    if ledger.require(Kind.WINDOW)["closed"] is not None:
        return False
    rollout.write(Kind.EXTENSION, {"seconds": spec.window.maximum - spec.window.length})
    rollout.headline("window")(
        f"inconclusive; extending once, from {spec.window.length} s to {spec.window.maximum} s"
    )
    return True


def settle_verdict(rollout: Rollout) -> dict[str, Any]:
    """Write the verdict of the last reading, with the finding that decided."""
    readings = rollout.ledger.keys(f"{Kind.FINDING}/")
    if not readings:
        rollout.ledger.require(finding_key("1"))  # says in one sentence that nobody judged
    last = rollout.ledger.require(readings[-1])
    findings = [finding_of(document) for document in last["findings"]]
    decided = deciding(findings)
    verdict = rollout.write(
        Kind.VERDICT,
        {
            "verdict": last["verdict"],
            "reading": last["reading"],
            "closed": last["closed"],
            "gate": decided.gate if decided else None,
            "reason": decided.reason if decided else "every gate that binds passed",
            "evidence": last["evidence"],
        },
    )
    rollout.headline("evaluate_gates")(f"verdict {verdict['verdict']}: {verdict['reason']}")
    return verdict


def finding_document(finding: Finding) -> dict[str, Any]:
    """Return a finding in JSON-safe form."""
    return {**asdict(finding), "severity": finding.severity.value, "outcome": finding.outcome.value}


def _measured(
    rollout: Rollout, window: Window, closed: Closed, reading: int, sleep: Callable[[float], None]
) -> Evidence:
    """Return what AWS says of the closed window, without the pairs.

    Where captures may have to be waited for it is written first: CloudWatch forgets, and what was read once is what is
    judged, however long the captures take and whoever goes on.
    """
    key = f"{Kind.METRICS}/{reading}"
    awaited = rollout.spec.pairs is not None
    known = rollout.ledger.read(key) if awaited else None
    if known is None:
        found = replace(_evidence(rollout, window, closed, sleep), fleets=fleets_of(rollout))
        if not awaited:
            return found
        known = rollout.write(key, found.to_document())
    return Evidence.from_document(known)


def _evidence(rollout: Rollout, window: Window, closed: Closed, sleep: Callable[[float], None]) -> Evidence:
    """Read the window until two readings in a row agree; what never settles is marked as not stable."""
    until = window.begin if closed is Closed.NO_TRAFFIC else _until(rollout, window)
    found = read(rollout, window, until, whole=True)
    if closed.is_early or until <= window.begin:
        return found
    for _ in range(_READS):
        sleep(min(5.0, max(1.0, window.period / 10)))
        again = read(rollout, window, until, whole=True)
        if again == found:
            return found
        found = again
    return replace(found, stable=False)


def _until(rollout: Rollout, window: Window) -> datetime:
    ticks = rollout.ledger.keys(f"{Kind.TICK}/")
    return moment(ticks[-1].removeprefix(f"{Kind.TICK}/")) if ticks else window.begin
