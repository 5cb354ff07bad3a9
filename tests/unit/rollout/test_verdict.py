"""The verdict: how findings fold."""

from __future__ import annotations

from itertools import product

import pytest

from include.rollout.gate import Finding, Outcome
from include.rollout.rule import Severity
from include.rollout.verdict import End, Verdict, deciding, fold


def finding(outcome: Outcome, severity: Severity = Severity.CRITICAL, gate: str = "g") -> Finding:
    return Finding(gate=gate, kind="error_rate", severity=severity, outcome=outcome, reason="because")


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ([], Verdict.INCONCLUSIVE),
        (["PASS"], Verdict.PROMOTE),
        (["PASS", "INCONCLUSIVE"], Verdict.INCONCLUSIVE),
        (["PASS", "NO_DATA"], Verdict.INCONCLUSIVE),
        (["NO_DATA", "FAIL"], Verdict.ROLL_BACK),
        (["FAIL", "PASS"], Verdict.ROLL_BACK),
    ],
)
def test_the_verdict_is_the_worst_binding_finding(outcomes: list[str], verdict: Verdict) -> None:
    assert fold([finding(Outcome(outcome)) for outcome in outcomes]) is verdict


def test_only_all_passes_promote() -> None:
    for outcomes in product(Outcome, repeat=3):
        promoted = fold([finding(outcome) for outcome in outcomes]) is Verdict.PROMOTE
        assert promoted == (set(outcomes) == {Outcome.PASS})


@pytest.mark.parametrize("severity", [Severity.WARNING, Severity.INFO])
def test_what_does_not_bind_neither_promotes_nor_rolls_back(severity: Severity) -> None:
    assert fold([finding(Outcome.FAIL, severity), finding(Outcome.PASS)]) is Verdict.PROMOTE
    assert fold([finding(Outcome.PASS, severity)]) is Verdict.INCONCLUSIVE


def test_the_deciding_finding_is_a_fail_before_anything_missing() -> None:
    findings = [
        finding(Outcome.NO_DATA, gate="empty"),
        finding(Outcome.FAIL, gate="errors"),
        finding(Outcome.PASS),
    ]
    found = deciding(findings)
    assert found is not None
    assert found.gate == "errors"
    assert deciding([finding(Outcome.PASS)]) is None


def test_red_ends_are_those_where_no_decision_was_carried_out() -> None:
    assert {end for end in End if not end.is_green} == {End.CRASHED, End.FOREIGN_CHANGE, End.REFUSED}
