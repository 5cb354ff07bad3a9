"""Evidence survives the ledger bit for bit."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from include.rollout.evidence import Evidence, Period, Threshold

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
