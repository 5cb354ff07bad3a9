"""Guarded updates: the steps of the traffic, what the alarms do, and the ways back."""

import re
from typing import Any

import pytest

from include.localcloud.sagemaker.deployment import pending_summary
from tests.unit.localcloud.sagemaker.policies import rolling, routed

CANARY = routed("CANARY", ("CAPACITY_PERCENT", 10), 300, TerminationWaitInSeconds=60)
WATCHED = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]}}


class Update:
    """An endpoint `e` with four instances of `one`, updated to `two`."""

    def __init__(self, plane: Any) -> None:
        self.plane = plane
        self.off_from: float | None = None  # seconds after the update began at which the alarm goes off
        self.seen: list[
            tuple[float, str]
        ] = []  # what the pending deployment said whenever alarms were looked at
        plane.alarm = self._alarm

    def _alarm(self, name: str) -> str | None:
        passed = self.plane.clock.at - self.began
        pending = self.plane.sagemaker.endpoints["e"]["Pending"]
        (variant,) = pending_summary(pending)["ProductionVariants"]
        self.seen.append((passed, variant["VariantStatus"][0]["Status"]))
        if name != "errors":
            return None
        return "ALARM" if self.off_from is not None and passed >= self.off_from else "OK"

    def run(self, policy: Any, config: str = "two") -> dict[str, Any]:
        self.plane.runtime.notes.clear()
        self.began = self.plane.clock.at
        self.plane.call(
            "UpdateEndpoint", EndpointName="e", EndpointConfigName=config, DeploymentConfig=policy
        )
        self.plane.settle()
        described: dict[str, Any] = self.plane.endpoint()
        return described

    @property
    def notes(self) -> list[tuple[Any, ...]]:
        return list(self.plane.runtime.notes)

    @property
    def passed(self) -> float:
        return float(self.plane.clock.at - self.began)


@pytest.fixture
def update(plane: Any, variant: Any) -> Update:
    plane.model("m")
    plane.model("n")
    plane.config("one", variant(InitialInstanceCount=4))
    plane.config("two", variant(model="n", InitialInstanceCount=4))
    plane.config("renamed", variant("other", "n", InitialInstanceCount=4))
    plane.call("CreateEndpoint", EndpointName="e", EndpointConfigName="one")
    plane.settle()
    return Update(plane)


def test_a_canary_takes_its_share_then_all_and_each_is_watched(update: Update) -> None:
    described = update.run(CANARY)
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "two")
    assert update.notes == [
        ("prepare", "two"),
        ("share", "two", 0.1),
        ("share", "two", 1.0),
        ("activate", "two"),
        ("retire", "one"),
    ]
    assert update.passed == 300 + 300 + 60
    assert described["LastDeploymentConfig"] == CANARY


def test_linear_moves_by_equal_steps(update: Update) -> None:
    update.run(routed("LINEAR", ("INSTANCE_COUNT", 1), 10))
    assert [note[2] for note in update.notes if note[0] == "share"] == [0.25, 0.5, 0.75, 1.0]
    assert update.passed == 40


def test_an_alarm_during_the_bake_brings_all_traffic_back(update: Update) -> None:
    update.off_from = 120
    described = update.run(CANARY | WATCHED)
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "one")
    assert "alarm errors is in ALARM state" in described["FailureReason"]
    assert update.notes == [("prepare", "two"), ("share", "two", 0.1), ("retire", "two")]
    assert update.plane.runtime.beside == {}
    assert update.plane.runtime.serving["e"].config == "one"
    assert update.passed == 120
    assert "PendingDeploymentSummary" not in described
    assert {stage for _, stage in update.seen} == {"Creating", "Baking"}


def test_an_alarm_in_the_last_bake_still_brings_it_back(update: Update) -> None:
    update.off_from = 599
    assert update.run(CANARY | WATCHED)["EndpointConfigName"] == "one"
    assert ("share", "two", 1.0) in update.notes


def test_an_alarm_after_the_last_bake_is_not_looked_at(update: Update) -> None:
    update.off_from = 601
    described = update.run(CANARY | WATCHED)
    assert described["EndpointConfigName"] == "two"
    assert "FailureReason" not in described


@pytest.mark.parametrize(
    ("name", "off", "said"),
    [("errors", 0.0, "is in ALARM state already"), ("ghost", None, "alarm ghost .* does not exist")],
)
def test_an_alarm_that_is_off_or_missing_ends_the_update_before_it_begins(
    update: Update, name: str, off: float | None, said: str
) -> None:
    update.off_from = off
    described = update.run({"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name}]}})
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "one")
    assert re.search(said, described["FailureReason"])
    assert update.notes == []


def test_a_deployment_that_takes_too_long_is_rolled_back(update: Update) -> None:
    update.plane.faults.add({"delay": 200, "endpoint": "e"})
    policy = routed("CANARY", ("CAPACITY_PERCENT", 10), 290, MaximumExecutionTimeoutInSeconds=600)
    described = update.run(policy)
    assert described["EndpointConfigName"] == "one"
    assert "longer than 600 seconds" in described["FailureReason"]


def test_another_variant_name_is_refused_and_changes_nothing(update: Update, refused: Any) -> None:
    before = update.plane.endpoint()
    with pytest.raises(refused, match=r"ValidationException: .* need the same names"):
        update.run(CANARY, "renamed")
    assert update.plane.endpoint() == before


def test_the_last_policy_can_be_used_again(update: Update) -> None:
    update.run(CANARY)
    update.plane.runtime.notes.clear()
    update.plane.call(
        "UpdateEndpoint", EndpointName="e", EndpointConfigName="one", RetainDeploymentConfig=True
    )
    update.plane.settle()
    assert ("share", "one", 0.1) in update.notes


def test_rolling_replaces_batch_by_batch(update: Update) -> None:
    described = update.run(rolling(("INSTANCE_COUNT", 2), 30))
    assert described["EndpointConfigName"] == "two"
    assert update.notes == [
        ("prepare", "two"),
        ("share", "two", 0.5),
        ("resize", "production", 2),
        ("scale", "two", 4),
        ("share", "two", 1.0),
        ("activate", "two"),
        ("retire", "one"),
    ]
    assert update.passed == 60
    assert described["ProductionVariants"][0]["CurrentInstanceCount"] == 4


def test_a_rolling_update_brings_the_old_instances_back(update: Update) -> None:
    update.off_from = 40  # in the second batch
    described = update.run(rolling(("INSTANCE_COUNT", 2), 30) | WATCHED)
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "one")
    assert update.notes[-2:] == [("resize", "production", 4), ("retire", "two")]
    assert described["ProductionVariants"][0]["CurrentInstanceCount"] == 4


def test_a_way_back_that_fails_leaves_both_until_the_next_update(update: Update) -> None:
    update.off_from = 40

    def no_capacity(name: str) -> str | None:
        state = update._alarm(name)
        if state == "ALARM":
            update.plane.faults.add({"capacity": 4})
        return state

    update.plane.alarm = no_capacity
    described = update.run(rolling(("INSTANCE_COUNT", 2), 30) | WATCHED)
    assert described["EndpointStatus"] == "UpdateRollbackFailed"
    assert "The rollback failed as well: Unable to provision" in described["FailureReason"]
    assert described["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    assert update.plane.runtime.beside["e"].config == "two"
    described = update.run({}, "one")
    assert described["EndpointStatus"] == "InService"
    assert "InsufficientInstanceCapacity" in described["FailureReason"]
    assert update.notes == [
        ("retire", "two")
    ]  # what was left of the new fleet goes, whatever comes of this update
    update.plane.faults.clear()
    assert "FailureReason" not in update.run({}, "one")


def test_an_update_needs_room_for_the_new_fleet_beside_the_old(update: Update) -> None:
    update.plane.faults.add({"capacity": 7, "instance_type": "ml.m5.xlarge"})
    described = update.run({})
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "one")
    assert "InsufficientInstanceCapacity" in described["FailureReason"]
    assert update.run(rolling(("INSTANCE_COUNT", 1), 0))["EndpointConfigName"] == "two"  # five suffice
    update.plane.faults.add({"capacity": 8, "instance_type": "ml.m5.xlarge"})
    assert update.run({}, "one")["EndpointConfigName"] == "one"


def test_more_instances_than_there_are_bring_the_old_count_back(update: Update) -> None:
    update.plane.faults.add({"capacity": 5})
    wish = {"VariantName": "production", "DesiredInstanceCount": 6}
    update.plane.call(
        "UpdateEndpointWeightsAndCapacities", EndpointName="e", DesiredWeightsAndCapacities=[wish]
    )
    update.plane.settle()
    described = update.plane.endpoint()
    assert "InsufficientInstanceCapacity" in described["FailureReason"]
    assert described["ProductionVariants"][0]["DesiredInstanceCount"] == 4
