"""Evidence survives the ledger bit for bit."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from include.rollout.evidence import Evidence, Period, Resampling, Threshold

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_evidence_read_back_is_the_evidence() -> None:
    rows = tuple(
        Period(
            start=NOON + timedelta(seconds=10 * i),
            invocations=600.0,
            errors={"InvocationModelErrors": 0.1 + i},
            latency={"p50": 12000.123},
        )
        for i in range(3)
    )
    evidence = Evidence(
        begin=NOON,
        end=NOON + timedelta(seconds=30),
        period=10,
        sampling=0.5,
        production=rows,
        shadow=rows[:2],
        whole={"production": {"p99": 19000.5}},
        thresholds=(Threshold(label="p90", production_us=100.0, shadow_us=110.0),),
    )
    assert Evidence.from_document(json.loads(json.dumps(evidence.to_document()))) == evidence
    assert len(evidence.expected) == 3


def test_changes_of_the_sampling_are_kept_and_their_absence_changes_no_digest() -> None:
    plain = Evidence(begin=NOON, end=NOON, period=10, sampling=0.5, production=(), shadow=())
    assert "resamplings" not in plain.to_document()
    later = NOON + timedelta(seconds=20)
    changes = (
        Resampling(after=NOON, by=later, sampling=1.0),
        Resampling(after=later, by=None, sampling=0.1),
    )
    evidence = replace(plain, resamplings=changes)
    assert Evidence.from_document(json.loads(json.dumps(evidence.to_document()))) == evidence


@pytest.mark.parametrize(("by", "sampling"), [(-1, 0.5), (1, 1.5), (1, -0.1)])
def test_a_change_that_cannot_be_is_refused(by: int, sampling: float) -> None:
    with pytest.raises(ValueError, match="a share is between 0 and 1"):
        Resampling(after=NOON, by=NOON + timedelta(seconds=by), sampling=sampling)
