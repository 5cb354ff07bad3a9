"""Faults do what was asked, as often as was asked, and no more."""

from typing import Any

import pytest

from include.localcloud.faults import FaultError, Faults
from include.localcloud.protocol import AwsError
from include.localcloud.runtime.disturbance import Disturbances


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
    calls: list[tuple[Any, ...]] = []
    faults = Faults(set_metric_fault=lambda *asked: calls.append(asked))
    faults.add({"metrics": "drop", "endpoint": "e"})
    faults.add({"metrics": "delay", "seconds": 90, "endpoint": "e"})
    faults.add({"metrics": "gaps", "share": 0.25})
    assert faults.shown() == [
        {"metrics": "drop", "endpoint": "e"},
        {"metrics": "delay", "seconds": 90.0, "endpoint": "e"},
        {"metrics": "gaps", "share": 0.25, "endpoint": None},
    ]
    faults.clear()
    assert calls[:3] == [("e", "drop", 0.0), ("e", "delay", 90.0), (None, "gaps", 0.25)]
    assert sorted(calls[3:], key=str) == [("e", None), (None, None)]


class Plane:
    """Notes who is to crash; knows one endpoint of one variant."""

    def __init__(self) -> None:
        self.disturbances = Disturbances()
        self.crashed: list[tuple[str, str, int]] = []

    def crash(self, endpoint: str, variant: str, count: int) -> None:
        if endpoint != "e":
            raise KeyError(endpoint)
        self.crashed.append((endpoint, variant, count))


def test_faults_of_instances_are_shown_as_asked_and_taken_back_together() -> None:
    plane = Plane()
    faults = Faults(data_plane=plane)
    asked = [
        {"latency": "constant", "ms": 20, "endpoint": "e", "variant": "v"},
        {"latency": "heavy_tail", "ms": 5, "shape": 1.5},
        {"latency": "ramp", "ms": 100, "seconds": 60},
        {"latency": "cold_start", "ms": 500, "seconds": 30, "variant": "v"},
        {"errors": 0.02, "status": 503},
        {"wrong": 0.1, "endpoint": "e"},
    ]
    for each in asked:
        faults.add(each)
    assert faults.shown() == asked
    assert [fault.delay is not None for fault in plane.disturbances.in_force] == [True] * 4 + [False] * 2
    faults.clear()
    assert (faults.shown(), plane.disturbances.in_force) == ([], [])


def test_a_crash_happens_once_and_is_not_in_force() -> None:
    plane = Plane()
    faults = Faults(data_plane=plane)
    faults.add({"crash": 2, "endpoint": "e", "variant": "v"})
    assert plane.crashed == [("e", "v", 2)]
    assert faults.shown() == []
    with pytest.raises(FaultError, match="no 'other' serving"):
        faults.add({"crash": 1, "endpoint": "other", "variant": "v"})


def test_without_a_data_plane_instances_have_no_faults() -> None:
    with pytest.raises(FaultError, match="nothing serves here"):
        Faults().add({"wrong": 0.5})


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({}, "needs one of the fields"),
        ({"operation": "X"}, "needs a code"),
        ({"operation": "X", "code": "C", "times": 0}, "times is 0"),
        ({"operation": "X", "code": "C", "after": -1}, "after is -1"),
        ({"operation": "X", "code": "C", "status": 200}, "status is 200"),
        ({"delay": -1}, "delay is -1"),
        ({"capacity": -1}, "capacity is -1"),
        ({"capacity": 1.5}, "capacity is 1.5"),
        ({"delay": "soon"}, "delay is 'soon'"),
        ({"metrics": "late"}, "allowed are 'drop', 'delay', 'gaps'"),
        ({"metrics": "delay"}, r"a metrics fault delay needs \['seconds'\]"),
        ({"metrics": "drop", "share": 1}, r"a metrics fault drop has no \['share'\]"),
        ({"metrics": "gaps", "share": 2}, "share is 2; it must be a number between 0 and 1"),
        ({"latency": "slow", "ms": 1}, "latency is 'slow'; allowed are 'constant'"),
        ({"latency": "constant"}, r"needs \['ms'\]"),
        ({"latency": "constant", "ms": 1, "shape": 2}, r"has no \['shape'\]"),
        ({"latency": "heavy_tail", "ms": 1, "shape": 0}, "shape is 0"),
        ({"latency": "ramp", "ms": float("nan"), "seconds": 1}, "ms is nan"),
        ({"errors": 1.5}, "errors is 1.5"),
        ({"errors": 0.5, "status": 200}, "status is 200"),
        ({"wrong": True}, "wrong is True"),
        ({"crash": 0, "endpoint": "e", "variant": "v"}, "crash is 0"),
        ({"crash": 1, "endpoint": "e"}, "needs an endpoint and a variant"),
        ({"wrong": 0.5, "endpoint": 7}, "endpoint is 7"),
        ({"wrong": 0.5, "errors": 0.5}, "errors and wrong are given"),
        ({"delay": 1, "variant": "v"}, r"a fault with delay has no field \['variant'\]"),
        ({"weather": 1}, "no field"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(wanted: dict[str, Any], reason: str) -> None:
    with pytest.raises(FaultError, match=reason):
        Faults(data_plane=Plane()).add(wanted)


def test_quotas_are_of_known_kinds_or_instance_types() -> None:
    faults = Faults()
    for wanted in ({"quota": 2, "of": "ml.m5.large"}, {"quota": 0, "of": "model"}):
        faults.add(wanted)
    assert (faults.quota("ml.m5.large"), faults.quota("model"), faults.quota("endpoint")) == (2, 0, None)
    assert faults.shown() == [{"quota": 2, "of": "ml.m5.large"}, {"quota": 0, "of": "model"}]
    with pytest.raises(FaultError, match="a quota is of 'idea'; allowed are an instance type, model, "):
        faults.add({"quota": 2, "of": "idea"})
    faults.clear()
    assert faults.quota("model") is None
