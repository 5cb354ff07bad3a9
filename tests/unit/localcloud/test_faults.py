"""Faults do what was asked, as often as was asked, and no more."""

from typing import Any

import pytest

from include.localcloud.faults import FaultError, Faults
from include.localcloud.protocol import AwsError


def outcomes(faults: Faults, operation: str, calls: int) -> list[str]:
    seen = []
    for _ in range(calls):
        try:
            faults.raise_for(operation)
            seen.append("ok")
        except AwsError as error:
            seen.append(error.code)
    return seen


def test_a_fault_begins_after_and_ends_after_so_many_calls() -> None:
    faults = Faults()
    faults.add({"operation": "UpdateEndpoint", "code": "ThrottlingException", "times": 2, "after": 1})
    assert outcomes(faults, "DescribeEndpoint", 1) == ["ok"]
    assert outcomes(faults, "UpdateEndpoint", 5) == ["ok", *["ThrottlingException"] * 2, "ok", "ok"]
    assert faults.shown() == []


def test_null_times_is_for_ever_until_cleared() -> None:
    faults = Faults()
    faults.add({"operation": "X", "code": "InternalFailure", "status": 500, "times": None})
    assert outcomes(faults, "X", 4) == ["InternalFailure"] * 4
    faults.clear()
    assert outcomes(faults, "X", 1) == ["ok"]


def test_a_throttle_says_what_aws_says_unless_told() -> None:
    faults = Faults()
    faults.add({"operation": "X", "code": "ThrottlingException"})
    with pytest.raises(AwsError, match="Rate exceeded"):
        faults.raise_for("X")


def test_delays_are_of_one_endpoint_or_of_all() -> None:
    faults = Faults()
    faults.add({"delay": 3})
    faults.add({"delay": 7.5, "endpoint": "e"})
    assert (faults.delay("e"), faults.delay("other")) == (7.5, 3.0)


def test_metric_faults_reach_the_store_and_are_taken_back() -> None:
    calls: list[tuple[str | None, str | None]] = []
    faults = Faults(set_metric_fault=lambda endpoint, fault: calls.append((endpoint, fault)))
    faults.add({"metrics": "drop", "endpoint": "e"})
    faults.clear()
    assert calls == [("e", "drop"), ("e", None)]


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({}, "needs one of the fields"),
        ({"operation": "X"}, "needs a code"),
        ({"operation": "X", "code": "C", "times": 0}, "times is 0"),
        ({"operation": "X", "code": "C", "after": -1}, "after is -1"),
        ({"operation": "X", "code": "C", "status": 200}, "status is 200"),
        ({"delay": -1}, "delay is -1"),
        ({"delay": "soon"}, "delay is 'soon'"),
        ({"metrics": "late"}, "allowed is 'drop'"),
        ({"weather": 1}, "no field"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(wanted: dict[str, Any], reason: str) -> None:
    with pytest.raises(FaultError, match=reason):
        Faults().add(wanted)
