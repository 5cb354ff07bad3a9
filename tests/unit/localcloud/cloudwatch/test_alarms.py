"""Alarms as a client of CloudWatch has them."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from include.localcloud.cloudwatch.alarms import Alarms
from include.localcloud.protocol import AwsError


class Watch:
    """Alarms on the board's metrics."""

    def __init__(self, board: Any, folder: Path) -> None:
        self.board, self.folder = board, folder
        self.alarms = Alarms(folder, board.store, board.clock)

    def call(self, operation: str, **params: Any) -> Any:
        return asyncio.run(getattr(self.alarms, operation)(params))

    def put(self, name: str = "a", **more: Any) -> None:
        params = {
            "AlarmName": name,
            "Namespace": "Own",
            "MetricName": "m",
            "Statistic": "Average",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 5.0,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
        } | more
        params = {field: value for field, value in params.items() if value is not None}
        self.call("PutMetricAlarm", **params)

    def alarm(self, name: str = "a") -> dict[str, Any]:
        (found,) = self.call("DescribeAlarms", AlarmNames=[name])["MetricAlarms"]
        return dict(found)

    def state(self, name: str = "a") -> str:
        return str(self.alarm(name)["StateValue"])

    def minute(self, *values: float) -> None:
        """Publish values now, and let their minute pass."""
        if values:
            self.board.put(values)
        self.board.clock.time += 60


@pytest.fixture
def watch(board: Any, tmp_path: Path) -> Watch:
    return Watch(board, tmp_path)


def test_it_goes_off_when_a_whole_period_breaches_and_comes_back(watch: Watch) -> None:
    watch.put()
    watch.board.put([9.0])
    assert watch.state() == "OK"  # the period is not over
    watch.minute()
    alarm = watch.alarm()
    assert alarm["StateValue"] == "ALARM"
    assert alarm["StateReason"].startswith("Threshold Crossed: 1 out of the last 1 datapoints [9.0 (")
    assert json.loads(alarm["StateReasonData"])["recentDatapoints"] == [9.0]
    assert alarm["StateTransitionedTimestamp"] == watch.board.now
    watch.minute(1.0)
    assert watch.state() == "OK"


def test_what_happened_between_two_looks_is_in_the_history(watch: Watch) -> None:
    watch.put()
    watch.minute(1.0)
    assert watch.state() == "OK"
    for value in (9.0, 1.0, 9.0):
        watch.minute(value)

    def history(**params: Any) -> list[str]:
        items = watch.call("DescribeAlarmHistory", AlarmName="a", **params)["AlarmHistoryItems"]
        return [item["HistorySummary"] for item in items]

    assert history(HistoryItemType="StateUpdate") == [
        "Alarm updated from OK to ALARM",  # the newest first
        "Alarm updated from ALARM to OK",
        "Alarm updated from OK to ALARM",
        "Alarm updated from INSUFFICIENT_DATA to OK",
    ]
    assert history(ScanBy="TimestampAscending", MaxRecords=1) == ['Alarm "a" created']
    assert history(StartDate=watch.board.when(60))[:1] == ["Alarm updated from OK to ALARM"]


def test_a_new_alarm_is_insufficient_until_it_is_evaluated_and_without_data(watch: Watch) -> None:
    watch.put(TreatMissingData=None)
    assert watch.state() == "INSUFFICIENT_DATA"
    assert watch.alarm()["StateReason"] == "Unchecked: Initial alarm creation"


def test_a_state_set_by_hand_lasts_until_the_next_evaluation(watch: Watch) -> None:
    watch.put()
    watch.minute(1.0)
    watch.call("SetAlarmState", AlarmName="a", StateValue="ALARM", StateReason="a test")
    assert (watch.state(), watch.alarm()["StateReason"]) == ("ALARM", "a test")
    watch.board.clock.time += 59
    assert watch.state() == "ALARM"
    watch.board.clock.time += 1
    assert watch.state() == "OK"


def test_a_replaced_alarm_keeps_its_state_until_its_new_rule_is_evaluated(watch: Watch) -> None:
    watch.put()
    watch.minute(9.0)
    assert watch.state() == "ALARM"
    watch.call("SetAlarmState", AlarmName="a", StateValue="ALARM", StateReason="a test")
    watch.put(Threshold=10.0, AlarmDescription="d", TreatMissingData="ignore")
    assert watch.state() == "OK"
    assert watch.alarm()["AlarmDescription"] == "d"


@pytest.mark.parametrize(
    ("operator", "value", "state"),
    [
        ("GreaterThanThreshold", 5.0, "OK"),
        ("GreaterThanOrEqualToThreshold", 5.0, "ALARM"),
        ("LessThanThreshold", 5.0, "OK"),
        ("LessThanOrEqualToThreshold", 5.0, "ALARM"),
        ("LessThanThreshold", 4.0, "ALARM"),
    ],
)
def test_every_comparison(watch: Watch, operator: str, value: float, state: str) -> None:
    watch.put(ComparisonOperator=operator)
    watch.minute(value)
    assert watch.state() == state


def test_percentiles_and_dimensions_are_read(watch: Watch) -> None:
    watch.put(Statistic=None, ExtendedStatistic="p90", Dimensions=[{"Name": "v", "Value": "new"}])
    watch.board.put([1.0] * 99 + [99.0], dimensions=[("v", "new")])
    watch.board.put([99.0], dimensions=[("v", "old")])
    watch.minute()
    assert watch.state() == "OK"
    watch.board.put([1.0] * 80 + [99.0] * 20, dimensions=[("v", "new")])
    watch.minute()
    assert watch.state() == "ALARM"


def test_an_alarm_on_metric_math(watch: Watch) -> None:
    stat = {"Metric": {"Namespace": "Own", "MetricName": "m"}, "Period": 60, "Stat": "Sum"}
    none = dict.fromkeys(("Namespace", "MetricName", "Statistic", "Period"))
    watch.put(
        **none,
        Metrics=[
            {"Id": "twice", "Expression": "m1 * 2"},
            {"Id": "m1", "MetricStat": stat, "ReturnData": False},
        ],
    )
    watch.minute(3.0)
    assert watch.state() == "ALARM"
    watch.minute(2.0)
    assert watch.state() == "OK"


def test_alarms_are_found_by_name_prefix_state_metric_and_page(watch: Watch) -> None:
    for name in ("x-1", "x-2", "y-1"):
        watch.put(name, AlarmActions=["arn:aws:sns:us-east-1:123456789012:page"] if name == "y-1" else [])
    watch.put("other", MetricName="n")
    watch.minute(9.0)

    def names(**params: Any) -> list[str]:
        return [each["AlarmName"] for each in watch.call("DescribeAlarms", **params)["MetricAlarms"]]

    assert names() == ["other", "x-1", "x-2", "y-1"]
    assert names(AlarmNamePrefix="x-") == ["x-1", "x-2"]
    assert names(StateValue="OK") == ["other"]
    assert names(ActionPrefix="arn:aws:sns") == ["y-1"]
    assert names(AlarmTypes=["CompositeAlarm"]) == []
    first = watch.call("DescribeAlarms", MaxRecords=3)
    assert names(NextToken=first["NextToken"]) == ["y-1"]
    found = watch.call("DescribeAlarmsForMetric", Namespace="Own", MetricName="n")["MetricAlarms"]
    assert [each["AlarmName"] for each in found] == ["other"]


def test_alarms_and_their_states_are_back_after_a_restart(watch: Watch) -> None:
    watch.put()
    watch.minute(9.0)
    before = watch.alarm()
    again = Watch(watch.board, watch.folder)
    assert again.alarm() == before


def test_deleting_is_all_or_nothing_and_actions_can_be_switched(watch: Watch) -> None:
    watch.put()
    watch.call("DisableAlarmActions", AlarmNames=["a", "ghost"])
    assert watch.alarm()["ActionsEnabled"] is False
    watch.call("EnableAlarmActions", AlarmNames=["a"])
    assert watch.alarm()["ActionsEnabled"] is True
    with pytest.raises(AwsError, match="ResourceNotFound"):
        watch.call("DeleteAlarms", AlarmNames=["a", "ghost"])
    watch.call("DeleteAlarms", AlarmNames=["a"])
    assert watch.call("DescribeAlarms") == {"MetricAlarms": [], "CompositeAlarms": []}
    with pytest.raises(AwsError, match="ResourceNotFound"):
        watch.call("SetAlarmState", AlarmName="a", StateValue="OK", StateReason="r")
    assert watch.alarms.state("a") is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"Statistic": None}, "either Statistic or ExtendedStatistic"),
        ({"ExtendedStatistic": "p90"}, "either Statistic or ExtendedStatistic"),
        ({"Statistic": None, "ExtendedStatistic": "best"}, "best is no statistic"),
        ({"MetricName": None}, "either MetricName"),
        ({"Namespace": None}, "Namespace is required"),
        ({"Period": 45}, "10, 20, 30 or a multiple of 60"),
        ({"Threshold": None}, "Threshold is required"),
        ({"DatapointsToAlarm": 2}, "not be more than EvaluationPeriods"),
        ({"EvaluationPeriods": 1441}, "Metrics cannot be checked across more than a day"),
        ({"TreatMissingData": "guess"}, "must be one of breaching"),
        ({"EvaluateLowSampleCountPercentile": "guess"}, "must be evaluate or ignore"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "no anomaly detection"),
        ({"ThresholdMetricId": "t"}, "does not support alarms with ThresholdMetricId"),
    ],
)
def test_alarms_that_cannot_be_are_refused(watch: Watch, change: dict[str, Any], said: str) -> None:
    with pytest.raises(AwsError, match=said):
        watch.put(**change)
    assert watch.call("DescribeAlarms")["MetricAlarms"] == []


def test_tags_are_kept_when_an_alarm_is_put_again(watch: Watch) -> None:
    watch.put(Tags=[{"Key": "a", "Value": "1"}])
    arn = watch.alarm()["AlarmArn"]
    watch.call("TagResource", ResourceARN=arn, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": "3"}])
    watch.put(
        Threshold=7.0, Tags=[{"Key": "c", "Value": "4"}]
    )  # AWS ignores the tags of an alarm that exists
    watch.call("UntagResource", ResourceARN=arn, TagKeys=["b"])
    assert watch.call("ListTagsForResource", ResourceARN=arn) == {"Tags": [{"Key": "a", "Value": "2"}]}


@pytest.mark.parametrize(("percentile", "fewest"), [("p90", 100), ("p50", 20), ("p20", 50)])
def test_a_percentile_of_few_samples_changes_nothing_where_it_is_to_be_ignored(
    watch: Watch, percentile: str, fewest: int
) -> None:
    rule = {"Statistic": None, "ExtendedStatistic": percentile}
    watch.put("careful", EvaluateLowSampleCountPercentile="ignore", **rule)
    watch.put("hasty", **rule)
    watch.call("SetAlarmState", AlarmName="careful", StateValue="OK", StateReason="begin")
    watch.minute(*[9.0] * (fewest - 1))
    assert (watch.state("careful"), watch.state("hasty")) == ("OK", "ALARM")
    watch.minute(*[9.0] * fewest)
    assert watch.state("careful") == "ALARM"
    watch.minute(1.0)
    assert (watch.state("careful"), watch.state("hasty")) == ("ALARM", "OK")


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("SEARCH('{Own}', 'Sum', 60)", "SEARCH .* is not supported"),
        ("nothing + 1", "nothing, which is the Id of no query"),
        ("METRICS()", "give 2 time series"),
        ("1 +", "cannot be read as metric math"),
    ],
)
def test_an_alarm_whose_expression_can_never_be_evaluated_is_refused(
    watch: Watch, expression: str, said: str
) -> None:
    metric = {"Metric": {"Namespace": "Own", "MetricName": "m"}, "Period": 60, "Stat": "Sum"}
    queries = [{"Id": name, "MetricStat": metric, "ReturnData": False} for name in ("a", "b")]
    queries.append({"Id": "e", "Expression": expression, "ReturnData": True})
    rule = {"AlarmName": "math", "Metrics": queries, "EvaluationPeriods": 1, "Threshold": 1.0}
    with pytest.raises(AwsError, match=said):
        watch.call("PutMetricAlarm", ComparisonOperator="GreaterThanThreshold", **rule)
    assert watch.call("DescribeAlarms")["MetricAlarms"] == []
