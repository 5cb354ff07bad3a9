"""Collect the pairs of a window: where the captures lie, and how long to wait until they are all there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from include.rollout.errors import EvidenceError
from include.rollout.evidence import Evidence, Period
from include.rollout.expectation import ExpectationGate
from include.rollout.gate import LatencyGate
from include.rollout.pairs import Pairs
from include.rollout.window import Window
from include.steps.rollout import Rollout, Wait

if TYPE_CHECKING:
    from include.pairs.folder import Folder

_CHEAP = 64 << 20  # bytes of captures that a look may read; beyond, agreement waits for the window's end
# Of a window so far that a look may list: every hour of it is a request to S3 for each variant.
_LONGEST = timedelta(hours=6)
_COMPLETE = 0.99  # of the requests that CloudWatch counted
_FAILED = ("Invocation4XXErrors", "Invocation5XXErrors")
_EVERY = 10.0  # seconds between looks for captures that are not there yet


def glimpse(rollout: Rollout, window: Window, until: datetime) -> Pairs | None:
    """Return the pairs so far if reading them is cheap, for one look at the running window; None if nothing is paired.

    Every look reads the window from its begin, so that captures that came late count too; once there is much to read
    the looks are left to the metrics. Captures that cannot be read are told in the log and end no window: whoever judges
    it reads them again, and raises then.
    """
    if rollout.spec.pairs is None or not window.begin < until <= window.begin + _LONGEST:
        return None
    try:
        size = sum(file.size for folder in _folders(rollout) for file in folder.files(window.begin, until))
        return _collect(rollout, window, until) if size <= _CHEAP else None
    except EvidenceError as error:
        rollout.headline("captures")(str(error))
        return None


def gather(rollout: Rollout, window: Window, evidence: Evidence) -> Pairs | Wait | None:
    """Return the pairs of the whole evidence, what to wait for before that, or None if the spec pairs nothing.

    SageMaker delivers captures up to minutes late: as long as they hold fewer requests than CloudWatch counted they are
    waited for, until `pairs.delivery` seconds after the evidence's end. What is still missing then is for the gates to
    judge. Raises EvidenceError where captures cannot be read.
    """
    spec = rollout.spec
    if spec.pairs is None:
        return None
    if evidence.end <= window.begin:
        return Pairs(period=window.period)
    patience = evidence.end + timedelta(seconds=spec.pairs.delivery)
    counted = [sum(row.invocations or 0.0 for row in rows) for rows in (evidence.production, evidence.shadow)]
    sample = any(isinstance(gate, ExpectationGate) for gate in spec.gates.rules)
    found = _collect(rollout, window, evidence.end, sample=sample)
    captured = [records.read - records.outside for records in (found.production, found.shadow)]
    complete = all(have >= _COMPLETE * wanted for have, wanted in zip(captured, counted, strict=True))
    if complete or rollout.now() >= patience:
        return found
    rollout.headline("captures")(
        f"captures hold {captured[0]} and {captured[1]} of {counted[0]:.0f} and {counted[1]:.0f} requests; waiting"
    )
    return Wait(what="the captures of the window", every=_EVERY, until=patience)


def _answered(rows: Sequence[Period]) -> float:
    """Count the requests that were answered; nothing says that SageMaker captures those that failed."""
    return sum(
        max(0.0, (row.invocations or 0.0) - sum(row.errors.get(metric, 0.0) for metric in _FAILED))
        for row in rows
    )


def _collect(rollout: Rollout, window: Window, until: datetime, *, sample: bool = False) -> Pairs:
    from include.pairs.collect import collect  # duckdb and pyarrow: only where captures are paired

    terms = rollout.spec.pairs
    assert terms is not None
    production, shadow = _folders(rollout)
    return collect(
        production,
        shadow,
        terms,
        begin=window.begin,
        end=until,
        period=window.period,
        sample=sample,
        margins=sorted({gate.margin for gate in rollout.spec.gates.rules if isinstance(gate, LatencyGate)}),
    )


def _folders(rollout: Rollout) -> tuple[Folder, Folder]:
    from include.pairs.folder import Folder

    capture, variants, access = rollout.spec.capture, rollout.variants, rollout.clients.store_access()
    assert capture is not None
    return (
        Folder.of(capture.destination, variants.endpoint, variants.production, access),
        Folder.of(capture.destination, variants.endpoint, variants.shadow, access),
    )
