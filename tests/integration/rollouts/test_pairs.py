"""A candidate that is as quick and as healthy and answers differently is rolled back by agreement.

Captures are written by the local SageMaker and read back from its S3; the rollout's own steps do all of it.
"""

from __future__ import annotations

from typing import Any

import pytest

from include.ledger.objects import Kind
from include.rollout.errors import PlanError
from include.rollout.gate import Outcome
from include.rollout.spec import merge
from include.rollout.verdict import End, Verdict
from include.steps.settle import settle
from tests.integration.rollouts.conftest import BUCKET

PAIRED: dict[str, Any] = {
    "capture": {"destination": f"s3://{BUCKET}/captures"},
    "pairs": {"threshold": 0.5, "segments": [{"name": "first", "at": 0, "edges": [100, 200, 300, 400]}]},
    "gates": {
        "rules": [
            {"kind": "completeness"},
            {"kind": "min_sample", "requests": 500},
            {"kind": "error_rate", "absolute": 0.02},
            {"kind": "agreement", "limit": 0.05},
            {"kind": "drift", "severity": "info"},
        ]
    },
}

OPERATED: list[dict[str, Any]] = [
    {"kind": "saturation", "metric": "MemoryUtilization", "block": 10, "severity": "info"},
    {"kind": "saturation", "metric": "CPUUtilization", "block": 10, "severity": "info"},
    {"kind": "saturation", "metric": "GPUUtilization", "block": 10, "severity": "info"},
    {"kind": "overhead", "limit_ms": 60000, "block": 10, "severity": "info"},
    {"kind": "cost", "ratio": 1.5},
    {
        "kind": "expectation",
        "type": "expect_column_values_to_be_between",
        "kwargs": {"column": "shadow", "min_value": 0, "max_value": 1},
        "least": 400,
    },
]


def findings(drive: Any) -> dict[str, dict[str, Any]]:
    ledger = drive.rollout.ledger
    last = ledger.keys(f"{Kind.FINDING}/")[-1]
    return {finding["gate"]: finding for finding in ledger.require(last)["findings"]}


def test_a_candidate_that_answers_differently_is_rolled_back_by_agreement(drive, clients):
    """Every metric of it is healthy: it says 0.9 where production says anything between 0 and 1."""
    run = drive(**PAIRED, candidate={"environment": {"LOCAL_ANSWER": "0.9"}})
    assert run.all() is End.ROLLED_BACK
    found = findings(run)
    assert found["agreement"]["outcome"] == Outcome.FAIL
    assert {gate for gate, finding in found.items() if finding["outcome"] == Outcome.FAIL} <= {
        "agreement",
        "drift",
    }
    assert "pairs disagree" in found["agreement"]["reason"]
    assert run.rollout.ledger.require(Kind.VERDICT)["gate"] == "agreement"
    package = run.rollout.ledger.require(Kind.CANDIDATE)["package"]
    described = clients.sagemaker.describe_model_package(ModelPackageName=package)
    assert described["ModelApprovalStatus"] == "Rejected"
    pairs = run.rollout.ledger.require(run.rollout.ledger.keys(f"{Kind.EVIDENCE}/")[-1])["pairs"]
    assert pairs["production"]["named"] == pairs["production"]["read"] > 0
    assert pairs["production"]["malformed"] == pairs["production"]["ambiguous"] == 0
    assert set(pairs["segments"]["first"]) == {
        "below 100",
        "100 to 200",
        "200 to 300",
        "300 to 400",
        "from 400",
    }
    assert any("aborting" in line and "pairs disagree" in line for line in run.lines)


def test_a_candidate_that_answers_the_same_passes_agreement(drive):
    """500 requests are sent again and again: they are worth no more than 500, which is enough for 5 %.

    An expectation is asked of the predictions. What it takes to run is read beside it: the load of its process,
    SageMaker's own time, and its price.
    """
    run = drive(**merge(PAIRED, {"gates": {"rules": [*PAIRED["gates"]["rules"], *OPERATED]}}))
    run.begin()
    assert run.watch() is Verdict.PROMOTE
    found = findings(run)
    assert found["agreement"]["outcome"] == found["drift"]["outcome"] == Outcome.PASS
    assert found["agreement"]["details"]["repetition"] > 2
    assert found["agreement"]["details"]["same"] == found["agreement"]["n"] > 1000
    assert found["agreement"]["details"]["missing"]["unreadable"] == 0
    asked = found["expectation:expect_column_values_to_be_between"]
    assert (asked["outcome"], asked["n"]) == (Outcome.PASS, found["agreement"]["n"])
    assert found["saturation:GPUUtilization"]["outcome"] == Outcome.NO_DATA
    for metric, cores in (("MemoryUtilization", 1), ("CPUUtilization", 2)):
        finding = found[f"saturation:{metric}"]
        assert finding["outcome"] != Outcome.NO_DATA, finding["reason"]
        assert 0 < finding["details"]["average"] <= finding["effect"] < 1000
        assert finding["details"]["cores"] == cores
    assert found["overhead:p50"]["effect"] > 0
    assert (found["cost"]["outcome"], found["cost"]["effect"]) == (Outcome.PASS, 1)
    assert run.finish() is End.PROMOTED
    assert run.step(settle) is End.PROMOTED


def test_a_replay_of_too_few_different_requests_is_refused_before_anything_is_deployed(drive):
    """500 requests cannot show 0.5 %, however often they are sent."""
    rules = [{"kind": "completeness"}, {"kind": "agreement", "limit": 0.005}, {"kind": "cost", "ratio": 0.5}]
    run = drive(**merge(PAIRED, {"gates": {"rules": rules}}))
    with pytest.raises(
        PlanError, match=r"agreement \(\d+ different inputs are needed, .* has 500\), cost \("
    ):
        run.open()


def test_requests_are_paired_by_their_bytes_where_ids_are_not_to_be_trusted(drive):
    """500 inputs come again and again: the k-th of each is paired with the shadow's k-th.

    The answer stands for a time that the containers report, which equal models report alike.
    """
    rules = [*PAIRED["gates"]["rules"], {"kind": "latency", "margin": 0.2, "block": 10, "severity": "info"}]
    terms = {"join": "input", "at": 0, "latency": 0}
    run = drive(**merge(PAIRED, {"pairs": terms, "gates": {"rules": rules}}))
    run.begin()
    assert run.watch() is Verdict.PROMOTE
    pairs = run.rollout.ledger.require(run.rollout.ledger.keys(f"{Kind.EVIDENCE}/")[-1])["pairs"]
    assert pairs["all"]["n"] == pairs["all"]["same"] > 1000
    assert pairs["production"]["late"] == pairs["production"]["ambiguous"] == 0
    timed = findings(run)["latency:p90"]["details"]["paired"]
    assert set(pairs["paces"]) == {"0.2"}
    assert timed["pairs"] >= timed["share"] * pairs["latency"]["n"] > 500
    assert timed["slower"] == 0
    assert run.finish() is End.PROMOTED
