"""CloudWatch's operations as a client calls them, parameters already typed."""

import asyncio

import numpy as np
import pytest

from include.localcloud.cloudwatch.service import CloudWatch
from include.localcloud.protocol import AwsError


@pytest.fixture
def call(board):
    service = CloudWatch(board.store, board.clock)
    return lambda operation, **params: asyncio.run(getattr(service, operation)(params))


@pytest.fixture
def data(board, call):
    def get(*queries, since=3600.0, until=60.0, **params):
        return call(
            "GetMetricData",
            MetricDataQueries=list(queries),
            StartTime=board.when(since),
            EndTime=board.when(-until),
            **params,
        )

    return get


def _query(stat="Sum", *, name="q", metric="m", period=60, **more):
    return {
        "Id": name,
        "MetricStat": {"Metric": {"Namespace": "Own", "MetricName": metric}, "Period": period, "Stat": stat},
        **more,
    }


def test_points_come_newest_first_unless_asked_otherwise(board, data):
    for ago in (120, 60, 0):
        board.put([float(ago)], ago=ago)
    (down,) = data(_query())["MetricDataResults"]
    (up,) = data(_query(), ScanBy="TimestampAscending")["MetricDataResults"]
    assert down["Values"] == [0.0, 60.0, 120.0]
    assert down["Timestamps"][0] == board.when()
    assert (up["Values"], up["Timestamps"]) == (down["Values"][::-1], down["Timestamps"][::-1])
    assert (down["StatusCode"], down["Label"], down["Id"]) == ("Complete", "m", "q")


def test_a_percentile_over_many_periods_is_that_of_all_samples(board, data):
    random = np.random.default_rng(1)
    drawn = [random.lognormal(9, 1, 200).tolist() for _ in range(5)]
    for minute, values in enumerate(drawn):
        board.put(values, ago=minute * 60 + 60)
    (result,) = data(_query("p99.9", period=3600))["MetricDataResults"]
    assert result["Values"] == [pytest.approx(np.percentile(np.concatenate(drawn), 99.9))]


def test_an_expression_reads_other_queries_that_are_not_returned(board, data):
    board.put([2.0], name="errors")
    board.put([8.0], name="all")
    results = data(
        _query(name="e", metric="errors", ReturnData=False),
        _query(name="n", metric="all", ReturnData=False),
        {"Id": "rate", "Expression": "100 * e / n", "Label": "errors %"},
    )["MetricDataResults"]
    assert [(result["Id"], result["Label"], result["Values"]) for result in results] == [
        ("rate", "errors %", [25.0])
    ]


def test_an_array_is_several_results_of_one_id_and_pages_like_any_other(board, data):
    for ago in (120, 60, 0):
        board.put([1.0], name="a", ago=ago)
        board.put([2.0], name="b", ago=ago)
    queries = (
        _query(name="a", metric="a", ReturnData=False),
        _query(name="b", metric="b", ReturnData=False, Label="B's"),
        {"Id": "both", "Expression": "METRICS() * 10", "Label": "tenfold"},
    )
    results = data(*queries)["MetricDataResults"]
    assert [(each["Id"], each["Label"], each["Values"]) for each in results] == [
        ("both", "tenfold a", [10.0] * 3),
        ("both", "tenfold B's", [20.0] * 3),
    ]
    first = data(*queries, MaxDatapoints=4)
    second = data(*queries, MaxDatapoints=4, NextToken=first["NextToken"])
    seen = [
        value for page in (first, second) for each in page["MetricDataResults"] for value in each["Values"]
    ]
    assert seen == [10.0] * 3 + [20.0] * 3


def test_filling_reaches_from_start_to_end(board, data):
    board.put([5.0], ago=120)
    results = data(
        _query(ReturnData=False),
        {"Id": "f", "Expression": "FILL(q, 0)"},
        since=240.0,
        ScanBy="TimestampAscending",
    )["MetricDataResults"]
    assert results[0]["Values"] == [0.0, 0.0, 5.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("since", "period", "points"),
    [
        (3 * 3600, 10, 1),
        (3 * 3600 + 60, 10, 0),
        (3 * 3600 + 60, 60, 1),
        (16 * 86400, 60, 0),
        (64 * 86400, 3600, 1),
    ],
)
def test_a_request_from_long_ago_needs_the_period_that_is_kept_for_so_long(
    board, data, call, since, period, points
):
    board.put([1.0], ago=60)
    (result,) = data(_query(period=period), since=since)["MetricDataResults"]
    assert len(result["Values"]) == points
    if since / period <= 1440:
        answer = call(
            "GetMetricStatistics",
            Namespace="Own",
            MetricName="m",
            StartTime=board.when(since),
            EndTime=board.when(),
            Period=period,
            Statistics=["Sum"],
        )
        assert len(answer["Datapoints"]) == points


def test_pages_hold_every_point_once(board, data):
    for ago in range(0, 600, 60):
        board.put([float(ago)], ago=ago, name="a")
        board.put([float(ago)], ago=ago, name="b")
    queries = (_query(name="a", metric="a"), _query(name="b", metric="b"), _query(name="none", metric="none"))
    seen, token, codes = {"a": [], "b": [], "none": []}, None, []
    while True:
        page = data(*queries, MaxDatapoints=7, **({"NextToken": token} if token else {}))
        for result in page["MetricDataResults"]:
            seen[result["Id"]] += result["Values"]
            codes.append(result["StatusCode"])
        token = page.get("NextToken")
        if token is None:
            break
    assert seen == {
        "a": [float(ago) for ago in range(0, 600, 60)],
        "b": [float(ago) for ago in range(0, 600, 60)],
        "none": [],
    }
    assert "PartialData" in codes


@pytest.mark.parametrize(
    ("queries", "params", "said"),
    [
        ([_query("median")], {}, "median for parameter Stat is invalid"),
        ([_query(period=45)], {}, "45 for parameter Period is invalid"),
        ([_query(name="Q")], {}, "parameter Id"),
        ([_query(), _query()], {}, "ids must be unique"),
        ([{"Id": "q"}], {}, "either MetricStat or Expression"),
        ([{"Id": "q", "Expression": "SEARCH('x')"}], {}, "SEARCH"),
        ([{"Id": "q", "Expression": "other + 1"}], {}, "other, which is the Id of no query"),
        ([{"Id": "q", "Expression": "p"}, {"Id": "p", "Expression": "q"}], {}, "circle: q → p → q"),
        ([_query(ReturnData=False)], {}, "ReturnData"),
        ([_query(Label="${MAX}")], {}, "dynamic label"),
        ([_query()], {"since": -120.0}, "StartTime must be less"),
        ([_query(name=f"q{i}") for i in range(501)], {}, "at most 500"),
    ],
)
def test_a_query_that_cannot_be_answered_is_an_error_and_never_an_empty_series(data, queries, params, said):
    with pytest.raises(AwsError, match=said) as caught:
        data(*queries, **params)
    assert caught.value.code == "ValidationError"


def test_a_made_up_token_is_refused(data):
    with pytest.raises(AwsError) as caught:
        data(_query(), NextToken="?")
    assert caught.value.code == "InvalidNextToken"


def test_put_values_with_counts_come_back_as_statistics(board, call):
    call(
        "PutMetricData",
        Namespace="Own",
        MetricData=[
            {"MetricName": "m", "Values": [1.0, 3.0], "Counts": [3.0, 1.0], "Unit": "Milliseconds"},
            {"MetricName": "m", "Value": 6.0, "Unit": "Milliseconds"},
        ],
    )
    (point,) = call(
        "GetMetricStatistics",
        Namespace="Own",
        MetricName="m",
        StartTime=board.when(60),
        EndTime=board.when(-60),
        Period=60,
        Statistics=["Average", "SampleCount", "Minimum", "Maximum", "Sum"],
        ExtendedStatistics=["p50", "TC(:3)"],
    )["Datapoints"]
    assert point == {
        "Timestamp": board.when(),
        "Unit": "Milliseconds",
        "Average": 2.4,
        "SampleCount": 5.0,
        "Minimum": 1.0,
        "Maximum": 6.0,
        "Sum": 12.0,
        "ExtendedStatistics": {"p50": 1.0, "TC(:3)": 4.0},
    }


def test_data_of_one_call_stay_apart_by_metric_period_unit_and_dimensions(board, call):
    same = {"MetricName": "m", "Unit": "Seconds", "Dimensions": [{"Name": "A", "Value": "1"}]}
    others = [
        {"MetricName": "n"},
        {"Unit": "Count"},
        {"Dimensions": [{"Name": "A", "Value": "2"}]},
        {"Timestamp": board.when(60)},
    ]
    data = [
        {**same, "Value": 1.0},
        *({**same, **other, "Value": 8.0} for other in others),
        {**same, "Value": 2.0},
    ]
    call("PutMetricData", Namespace="Own", MetricData=data)
    known = list(board.store.keys())
    (key,) = [key for key in known if key.name == "m" and key.dimensions == (("A", "1"),)]
    found = board.store.read(key, start=board.now, end=board.now + 60, period=60, unit="Seconds")
    assert [samples.values.tolist() for samples in found.values()] == [[1.0, 2.0]]
    assert len(known) == 3
    earlier = board.store.read(key, start=0, end=board.now, period=60, unit="Seconds")
    assert [samples.total for samples in earlier.values()] == [8.0]


@pytest.mark.parametrize(
    ("namespace", "datum", "code"),
    [
        ("AWS/SageMaker", {"Value": 1.0}, "InvalidParameterValue"),
        ("Own", {}, "MissingParameter"),
        ("Own", {"Value": 1.0, "Values": [1.0]}, "InvalidParameterCombination"),
        ("Own", {"Values": [1.0, 2.0], "Counts": [1.0]}, "InvalidParameterValue"),
        ("Own", {"Values": [float(i) for i in range(151)]}, "InvalidParameterValue"),
        ("Own", {"Value": float("nan")}, "InvalidParameterValue"),
        ("Own", {"Value": 2.0**361}, "InvalidParameterValue"),
        (
            "Own",
            {"StatisticValues": {"SampleCount": 2.0, "Sum": 3.0, "Minimum": 2.0, "Maximum": 1.0}},
            "InvalidParameterValue",
        ),
    ],
)
def test_a_datum_that_cloudwatch_refuses_is_refused_with_its_code(board, call, namespace, datum, code):
    good = {"MetricName": "m", "Value": 1.0}
    with pytest.raises(AwsError) as caught:
        call("PutMetricData", Namespace=namespace, MetricData=[good, {"MetricName": "m", **datum}])
    assert caught.value.code == code
    assert list(board.store.keys()) == []


def test_a_datum_from_long_ago_or_far_ahead_is_refused(board, call):
    for ago in (15 * 86400, -3 * 3600):
        with pytest.raises(AwsError, match="two weeks"):
            call(
                "PutMetricData",
                Namespace="Own",
                MetricData=[{"MetricName": "m", "Value": 1.0, "Timestamp": board.when(ago)}],
            )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Statistics": []}, "MissingParameter"),
        ({"Period": 7}, "InvalidParameterValue"),
        ({"Period": 1}, "InvalidParameterCombination"),
        ({"ExtendedStatistics": ["p1000"]}, "InvalidParameterValue"),
    ],
)
def test_statistics_that_make_no_sense_are_refused_with_their_code(board, call, changes, code):
    params = {"Namespace": "Own", "MetricName": "m", "Period": 60, "Statistics": ["Sum"]}
    with pytest.raises(AwsError) as caught:
        call("GetMetricStatistics", **(params | changes), StartTime=board.when(3600), EndTime=board.when())
    assert caught.value.code == code


def test_metrics_are_listed_once_each_with_filters_and_pages(board, call):
    for i in range(600):
        board.put([1.0], name="many", dimensions=[("I", str(i))])
        board.put([1.0], name="many", dimensions=[("I", str(i))])
    board.put([1.0], name="old", ago=4 * 3600)
    first = call("ListMetrics")
    second = call("ListMetrics", NextToken=first["NextToken"])
    assert (len(first["Metrics"]), len(second["Metrics"])) == (500, 101)
    assert "NextToken" not in second
    only = call("ListMetrics", Namespace="Own", MetricName="many", Dimensions=[{"Name": "I", "Value": "7"}])
    assert only["Metrics"] == [
        {"Namespace": "Own", "MetricName": "many", "Dimensions": [{"Name": "I", "Value": "7"}]}
    ]
    assert call("ListMetrics", MetricName="old", RecentlyActive="PT3H")["Metrics"] == []
    assert len(call("ListMetrics", MetricName="old")["Metrics"]) == 1


@pytest.mark.parametrize(("days", "period"), [(20, 300), (70, 3600)])
def test_a_start_from_long_ago_is_rounded_down_to_the_points_that_are_kept(board, data, days, period):
    board.put([5.0], ago=days * 86400)  # a whole hour ago
    (result,) = data(_query(period=period), since=days * 86400 - 60.0)["MetricDataResults"]
    assert result["Values"] == [5.0]
