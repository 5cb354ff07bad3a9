"""What an alarm tells an SNS topic when its state changes: CloudWatch's subject and JSON message.

The form is that of messages that public repositories hold as test data.
"""

import datetime
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.loaders import Loader

from include.localcloud.state import Record

ACTIONS = {"OK": "OKActions", "ALARM": "AlarmActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}
_LONGEST_SUBJECT = 100  # characters: SNS refuses more


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message to one topic."""

    topic: str  # its ARN
    subject: str
    message: str


def notification(topic: str, alarm: Record, former: str, at: float) -> Notification:
    """Return what the topic is told of the alarm's change from the state `former` at `at` (epoch seconds)."""
    _, _, _, code, account, *_ = alarm["AlarmArn"].split(":")
    region = _region_name(code)
    said = {
        "AlarmName": alarm["AlarmName"],
        "AlarmDescription": alarm.get("AlarmDescription"),
        "AWSAccountId": account,
        "AlarmConfigurationUpdatedTimestamp": _time(alarm["AlarmConfigurationUpdatedTimestamp"]),
        "NewStateValue": alarm["StateValue"],
        "NewStateReason": alarm["StateReason"],
        "StateChangeTime": _time(at),
        "Region": region,
        "AlarmArn": alarm["AlarmArn"],
        "OldStateValue": former,
        **{field: alarm[field] for field in ACTIONS.values()},
        "Trigger": _trigger(alarm),
    }
    subject = f'{alarm["StateValue"]}: "{alarm["AlarmName"]}" in {region}'
    return Notification(topic=topic, subject=subject[:_LONGEST_SUBJECT], message=json.dumps(said))


def _trigger(alarm: Record) -> dict[str, Any]:
    rule = {
        "EvaluationPeriods": alarm["EvaluationPeriods"],
        **({"DatapointsToAlarm": alarm["DatapointsToAlarm"]} if "DatapointsToAlarm" in alarm else {}),
        "ComparisonOperator": alarm["ComparisonOperator"],
        "Threshold": alarm["Threshold"],
        "TreatMissingData": alarm.get("TreatMissingData", ""),
        "EvaluateLowSampleCountPercentile": alarm.get("EvaluateLowSampleCountPercentile", ""),
    }
    if "Metrics" in alarm:
        return rule | {"Metrics": [_query(query) for query in alarm["Metrics"]]}
    kind = "Statistic" if "Statistic" in alarm else "ExtendedStatistic"
    value = alarm[kind].upper() if kind == "Statistic" else alarm[kind]
    return {
        **_metric(alarm),
        "StatisticType": kind,
        kind: value,
        "Unit": alarm.get("Unit"),
        "Period": alarm["Period"],
    } | rule


def _query(query: Mapping[str, Any]) -> dict[str, Any]:
    said = {"ReturnData": True} | dict(query)
    if "MetricStat" in query:
        said["MetricStat"] = query["MetricStat"] | {"Metric": _metric(query["MetricStat"]["Metric"])}
    return said


def _metric(named: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "MetricName": named["MetricName"],
        "Namespace": named["Namespace"],
        "Dimensions": [
            {"value": each["Value"], "name": each["Name"]} for each in named.get("Dimensions", ())
        ],
    }


def _time(epoch_seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(epoch_seconds, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}+0000"


@functools.cache
def _region_name(code: str) -> str:
    """Return the region's name as CloudWatch writes it, the code itself where botocore knows none."""
    for partition in Loader().load_data("endpoints")["partitions"]:
        if code in partition["regions"]:
            name: str = partition["regions"][code]["description"]
            return name.replace("Europe (", "EU (")
    return code
