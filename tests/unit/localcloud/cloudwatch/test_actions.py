"""Alarm actions: which are carried out, when, in which order, and what a topic is told."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from include.localcloud.cloudwatch.actions import PublishError
from include.localcloud.cloudwatch.alarms import Alarms
from include.localcloud.cloudwatch.notification import Notification

TOPIC = "arn:aws:sns:eu-west-1:123456789012:{}"
RULE = {"EvaluationPeriods": 1, "Threshold": 5.0, "ComparisonOperator": "GreaterThanThreshold"}


class Watched:
    """One alarm with actions, and a list of what topics were told."""

    def __init__(self, board: Any, folder: Path) -> None:
        self.board = board
        self.told: list[Notification] = []
        self.refusal = ""
        self.alarms = Alarms(folder, board.store, board.clock, publish=self._publish)

    async def _publish(self, notification: Notification) -> None:
        if self.refusal:
            raise PublishError(self.refusal)
        self.told.append(notification)

    def call(self, operation: str, **params: Any) -> Any:
        return asyncio.run(getattr(self.alarms, operation)(params))

    def put(self, **more: Any) -> None:
        metric = {"Namespace": "Own", "MetricName": "m", "Statistic": "Average", "Period": 60}
        actions = {
            "OKActions": [TOPIC.format("fine")],
            "AlarmActions": [TOPIC.format("page"), TOPIC.format("log")],
            "InsufficientDataActions": [TOPIC.format("lost")],
        }
        self.call("PutMetricAlarm", AlarmName="a", **(RULE | metric | actions | more))

    def become(self, state: str) -> None:
        self.call("SetAlarmState", AlarmName="a", StateValue=state, StateReason=f"now {state}")

    def topics(self) -> list[str]:
        """Carry out what is due; return who was told since the last time, in order."""
        asyncio.run(self.alarms.actions.carry_out())
        told, self.told = self.told, []
        return [each.topic.rpartition(":")[2] for each in told]

    def history(self) -> list[str]:
        found = self.call("DescribeAlarmHistory", HistoryItemType="Action", ScanBy="TimestampAscending")
        return [item["HistorySummary"] for item in found["AlarmHistoryItems"]]


@pytest.fixture
def watched(board: Any, tmp_path: Path) -> Watched:
    return Watched(board, tmp_path)


def test_each_state_has_its_actions_and_only_a_change_carries_them_out(watched: Watched) -> None:
    watched.put()
    assert watched.topics() == []
    watched.become("OK")
    watched.become("OK")
    assert watched.topics() == ["fine"]
    watched.become("ALARM")
    watched.become("INSUFFICIENT_DATA")
    assert watched.topics() == ["page", "log", "lost"]
    assert watched.history()[1] == f"Successfully executed action {TOPIC.format('page')}"
    assert len(watched.history()) == 4


def test_a_change_that_metrics_bring_about_counts_alike(watched: Watched) -> None:
    watched.put()
    watched.board.put([9.0])
    watched.board.clock.time += 60
    assert watched.alarms.state("a") == "ALARM"
    assert watched.topics() == ["page", "log"]


def test_actions_that_are_not_enabled_are_not_carried_out(watched: Watched) -> None:
    watched.put(ActionsEnabled=False)
    watched.become("ALARM")
    assert watched.topics() == []
    watched.call("EnableAlarmActions", AlarmNames=["a"])
    assert watched.topics() == []
    watched.become("OK")
    watched.call("DisableAlarmActions", AlarmNames=["a"])
    watched.become("ALARM")
    assert watched.topics() == ["fine"]


def test_what_cannot_be_carried_out_is_in_the_history(watched: Watched) -> None:
    other = "arn:aws:lambda:eu-west-1:123456789012:function:f"
    scaling = "arn:aws:autoscaling:eu-west-1:123456789012:scalingPolicy:p"
    watched.put(AlarmActions=[other, scaling, TOPIC.format("page")])
    watched.refusal = "NotFound: Topic does not exist"
    watched.become("ALARM")
    assert watched.topics() == []
    assert watched.history() == [
        f"Failed to execute action {other}. Received error: the local cloud carries out SNS topics only",
        f"Failed to execute action {TOPIC.format('page')}. Received error: NotFound: Topic does not exist",
    ]


def test_the_message_is_cloudwatch_s(watched: Watched) -> None:
    watched.put(AlarmDescription="too slow", Dimensions=[{"Name": "v", "Value": "new"}], DatapointsToAlarm=1)
    watched.become("ALARM")
    asyncio.run(watched.alarms.actions.carry_out())
    told = watched.told[0]
    assert told.subject == 'ALARM: "a" in US East (N. Virginia)'
    assert json.loads(told.message) == {
        "AlarmName": "a",
        "AlarmDescription": "too slow",
        "AWSAccountId": "123456789012",
        "AlarmConfigurationUpdatedTimestamp": "2027-01-15T08:00:00.000+0000",
        "NewStateValue": "ALARM",
        "NewStateReason": "now ALARM",
        "StateChangeTime": "2027-01-15T08:00:00.000+0000",
        "Region": "US East (N. Virginia)",
        "AlarmArn": "arn:aws:cloudwatch:us-east-1:123456789012:alarm:a",
        "OldStateValue": "INSUFFICIENT_DATA",
        "OKActions": [TOPIC.format("fine")],
        "AlarmActions": [TOPIC.format("page"), TOPIC.format("log")],
        "InsufficientDataActions": [TOPIC.format("lost")],
        "Trigger": {
            "MetricName": "m",
            "Namespace": "Own",
            "StatisticType": "Statistic",
            "Statistic": "AVERAGE",
            "Unit": None,
            "Dimensions": [{"value": "new", "name": "v"}],
            "Period": 60,
            "EvaluationPeriods": 1,
            "DatapointsToAlarm": 1,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 5.0,
            "TreatMissingData": "",
            "EvaluateLowSampleCountPercentile": "",
        },
    }


def test_the_message_of_an_alarm_on_metric_math_names_its_queries(watched: Watched) -> None:
    stat = {"Metric": {"Namespace": "Own", "MetricName": "m"}, "Period": 60, "Stat": "p90"}
    queries = [
        {"Id": "twice", "Expression": "m1 * 2", "Label": "twice"},
        {"Id": "m1", "MetricStat": stat, "ReturnData": False},
    ]
    watched.call(
        "PutMetricAlarm", AlarmName="a", Metrics=queries, AlarmActions=[TOPIC.format("page")], **RULE
    )
    watched.become("ALARM")
    asyncio.run(watched.alarms.actions.carry_out())
    trigger = json.loads(watched.told[0].message)["Trigger"]
    assert "MetricName" not in trigger
    assert trigger["Metrics"] == [
        {"ReturnData": True, "Id": "twice", "Expression": "m1 * 2", "Label": "twice"},
        {
            "Id": "m1",
            "ReturnData": False,
            "MetricStat": {
                "Metric": {"MetricName": "m", "Namespace": "Own", "Dimensions": []},
                "Period": 60,
                "Stat": "p90",
            },
        },
    ]
