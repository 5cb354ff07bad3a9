"""Which of what A/A rollouts taught a rollout is judged with."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from include.aws.clients import Clients
from include.ledger.lease import OwnerRun
from include.ledger.objects import Kind
from include.ledger.store import Store
from include.rollout.comparison import agreement_terms
from include.rollout.gate import AgreementGate
from include.rollout.spec import parse
from include.stats.calibration import calibrate
from include.steps.noise import policy_of
from include.steps.rollout import Rollout

NOW = datetime(2026, 3, 1, tzinfo=UTC)
RATIOS = [0.01, -0.02, 0.0, 0.03, -0.01, 0.02, 0.0, -0.03, 0.01, 0.0]


@pytest.mark.parametrize(
    ("pairs", "noise"),
    [
        ({"threshold": 0.5}, (30, 1000)),
        ({"threshold": 0.5, "delivery": 60}, (30, 1000)),  # when captures are there decides no agreement
        ({"threshold": 0.9}, (0, 0)),
        ({"absolute": 1e-6}, (0, 0)),
    ],
    ids=["the same terms", "another patience", "another threshold", "to the last digit"],
)
def test_flips_are_noise_only_under_the_terms_they_were_counted_under(
    tmp_path: Path, pairs: dict[str, Any], noise: tuple[int, int]
) -> None:
    spec = parse(
        {
            "endpoint": {"name": "churn"},
            "side_effect_free": True,
            "candidate": {"image": "x:2"},
            "capture": {"destination": "s3://captures/x"},
            "pairs": {"threshold": 0.5},
            "gates": {"rules": [{"kind": "completeness"}, {"kind": "agreement"}]},
        },
        "a spec",
    )
    found = calibrate(RATIOS, [1e-4] * len(RATIOS), rollout_id="a" * 12, flips=30, pairs=1000)
    assert found is not None
    asked = spec.model_dump(mode="json") | {"pairs": pairs}
    rollout = Rollout(
        id="b" * 12,
        run=OwnerRun(dag_id="shadow_rollout", run_id="manual", airflow=""),
        store=Store(str(tmp_path)),
        clients=cast(Clients, None),  # nothing is asked of AWS
        say=print,
    )
    taught = {**found.to_document(), "terms": agreement_terms(spec.pairs)}
    rollout.ledger.write(Kind.SPEC, {"spec": asked}, at=NOW)
    rollout.ledger.write(Kind.NOISE, {"noise": {}, "calibrations": [taught]}, at=NOW)
    gate = next(rule for rule in policy_of(rollout).rules if isinstance(rule, AgreementGate))
    assert (gate.noise_flips, gate.noise_pairs) == noise
