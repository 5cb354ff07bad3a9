"""Metric math gives what CloudWatch's user guide says, and nothing unknown passes silently."""

import math

import pytest

from include.localcloud.cloudwatch.expression import ExpressionError, Series, Span, evaluate

_METRICS = {
    "e": Series({0: 1.0, 60: 0.0, 120: 3.0}, 60, "Errors"),
    "n": Series({0: 10.0, 60: 20.0, 180: 40.0}, 60, "Requests"),
    "z": Series({0: 0.0, 60: 2.0}, 60, "Zeros"),
    "none": Series({}, 60, "Nothing"),
    # the user guide's own examples, of five minutes
    "metric1": Series({0: 30.0, 60: 20.0, 120: 0.0, 180: 0.0}, 60),
    "metric2": Series({0: 20.0, 120: 20.0}, 60),
    "if1": Series({0: 1.0, 60: 1.0, 120: 0.0, 180: 0.0}, 60),
    "if2": Series({0: 30.0, 120: 0.0, 180: 0.0, 240: 30.0}, 60),
    "if3": Series({0: 0.0, 60: 0.0, 120: 20.0, 240: 20.0}, 60),
}
_SPAN = Span(start=0, end=300)


def value(expression, period=0):
    return evaluate(
        expression, _METRICS.__getitem__, period, span=_SPAN, metrics=lambda: dict(list(_METRICS.items())[:4])
    )


def points(expression):
    return dict(value(expression).points)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("e", {0: 1, 60: 0, 120: 3}),
        # a missing value is 0; what would divide by 0 is dropped
        ("e / n * 100", {0: 10, 60: 0, 180: 0}),
        ("e + n", {0: 11, 60: 20, 120: 3, 180: 40}),
        ("100*(e+1)", {0: 200, 60: 100, 120: 400}),
        ("-z + 1", {0: 1, 60: -1}),
        ("z^2", {0: 0, 60: 4}),
        ("n/z", {60: 10}),
        ("n > 15", {0: 0, 60: 1, 180: 1}),
        ("n - AVG(n) + 0", {0: 10 - 70 / 3, 60: 20 - 70 / 3, 180: 40 - 70 / 3}),
        ("n / PERIOD(n)", {0: 10 / 60, 60: 20 / 60, 180: 40 / 60}),
        # the guide's table of operators
        ("metric1 < metric2", {0: 0, 60: 0, 120: 1, 180: 0}),
        ("metric1 >= 30", {0: 1, 60: 0, 120: 0, 180: 0}),
        ("metric1 > 15 AND metric2 > 15", {0: 1, 60: 0, 120: 0, 180: 0}),
        ("metric1 > 15 || metric2 > 15", {0: 1, 60: 1, 120: 1, 180: 0}),
        # the guide's tables of IF
        ("IF(if1, if2, if3)", {0: 30, 60: 0, 120: 20}),
        ("IF(if1, 5, if3)", {0: 5, 60: 5, 120: 20}),
        ("IF(if1, if2, 5)", {0: 30, 60: 0, 120: 5, 180: 5}),
        ("IF(if1, if2)", {0: 30, 60: 0}),
        ("IF(n > 15, n, 0)", {0: 0, 60: 20, 180: 40}),
        ("IF(1, n, z)", {0: 10, 60: 20, 180: 40}),
        ("IF(0, n)", {}),
        # aggregates over arrays
        ("SUM([e, n])", {0: 11, 60: 20, 120: 3, 180: 40}),
        ("AVG([e, n])", {0: 5.5, 60: 10, 120: 1.5, 180: 20}),
        ("MIN([e, n])", {0: 1, 60: 0, 120: 3, 180: 40}),
        ("MAX([e, n])", {0: 10, 60: 20, 120: 3, 180: 40}),
        ("STDDEV([e, n])", {0: 4.5, 60: 10, 120: 0, 180: 0}),
        ("DATAPOINT_COUNT([e, n])", {0: 2, 60: 2, 120: 1, 180: 1}),
        ("z + STDDEV(n)", {0: 12.472191289246473, 60: 14.472191289246473}),
        ("z + DATAPOINT_COUNT(n)", {0: 3, 60: 5}),
        ("SUM(100/[z, n])", {0: 10, 60: 55, 180: 2.5}),
        ("AVG([e, n]/z)", {60: 5}),
        ("SUM([e, n] * [z, n])", {0: 100, 60: 400, 120: 0, 180: 1600}),
        ("SUM(-METRICS('n'))", {0: -10, 60: -20, 180: -40}),
        ('SUM([METRICS("e"), METRICS("z")])', {0: 1, 60: 2, 120: 3}),
        ("z + METRIC_COUNT(METRICS())", {0: 4, 60: 6}),
        # filling, over all the time asked for
        ("FILL(n, 0)", {0: 10, 60: 20, 120: 0, 180: 40, 240: 0}),
        ("FILL(n, MIN(n))", {0: 10, 60: 20, 120: 10, 180: 40, 240: 10}),
        ("FILL(n, e)", {0: 10, 60: 20, 120: 3, 180: 40}),
        ("FILL(n, REPEAT)", {0: 10, 60: 20, 120: 20, 180: 40, 240: 40}),
        ("FILL(n, LINEAR)", {0: 10, 60: 20, 120: 30, 180: 40}),
        ("FILL(none, 0)", {}),
        # one after another
        ("RATE(n)", {60: 10 / 60, 180: 20 / 120}),
        ("DIFF(n)", {60: 10, 180: 20}),
        ("DIFF_TIME(n)", {60: 60, 180: 120}),
        ("RUNNING_SUM(n)", {0: 10, 60: 30, 180: 70}),
        # point by point
        ("ABS(-n)", {0: 10, 60: 20, 180: 40}),
        ("CEIL(n/15)", {0: 1, 60: 2, 180: 3}),
        ("FLOOR(n/15)", {0: 0, 60: 1, 180: 2}),
        ("LOG10(n)", {0: 1, 60: math.log10(20), 180: math.log10(40)}),
        ("LOG(z)", {60: math.log(2)}),
        # choosing from arrays
        ("FIRST(SORT(METRICS(), MAX, DESC))", {0: 10, 60: 20, 180: 40}),
        ("LAST(SLICE([e, n, z], 0, 2))", {0: 10, 60: 20, 180: 40}),
        ("FIRST(SLICE(SORT([n, e], AVG, ASC, 1), 0))", {0: 1, 60: 0, 120: 3}),
        # made of the times themselves
        ("TIME_SERIES(MAX(n))", dict.fromkeys(range(0, 300, 60), 40)),
        ("MINUTE(n)", {0: 0, 60: 1, 120: 2, 180: 3, 240: 4}),
        ("EPOCH(n)", {at: at for at in range(0, 300, 60)}),
        ("DAY(n) + YEAR(n) * 10", dict.fromkeys(range(0, 300, 60), 19704)),  # a Thursday in 1970
    ],
)
def test_an_expression_gives_the_points_that_the_guide_says(expression, expected):
    assert points(expression) == pytest.approx(expected)


def test_an_array_is_several_series_that_keep_their_labels():
    listed = value("METRICS() * 2")
    assert [(series.label, dict(series.points)) for series in listed] == [
        ("Errors", {0: 2, 60: 0, 120: 6}),
        ("Requests", {0: 20, 60: 40, 180: 80}),
        ("Zeros", {0: 0, 60: 4}),
        ("Nothing", {}),
    ]
    assert len(value("REMOVE_EMPTY(METRICS())")) == 3
    assert [series.label for series in value("SORT(METRICS(), SUM, DESC, 2)")] == ["Requests", "Errors"]


def test_points_come_in_order_of_time():
    for expression in ("FILL(n, LINEAR)", "e + n", "SUM([n, e])", "IF(n, e, n)"):
        assert list(points(expression)) == sorted(points(expression))


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("SEARCH('{AWS/SageMaker} Invocations')", "SEARCH with 1 arguments is not supported"),
        ("ANOMALY_DETECTION_BAND(e, 2)", "ANOMALY_DETECTION_BAND with 2 arguments is not supported"),
        ("e.x", "'e.x' is not supported"),
        ("__import__('os')", "__IMPORT__ with 1 arguments is not supported"),
        ("'text'", "strings stand in METRICS"),
        ("1 + 1", "it gives a number"),
        ("SUM(e)", "it gives a number"),
        ("SUM(1)", "an aggregate such as SUM"),
        ("[e, 1]", "must hold time series only"),
        ("[e, n] + [e]", "arrays of 2 and 1"),
        ("RATE(1)", "RATE needs a time series"),
        ("FIRST(e)", "FIRST needs an array"),
        ("FILL(1, 0)", "FILL needs a time series"),
        ("FILL(e, [n])", "FILL needs a number"),
        ("IF([e], 1, 0)", "IF needs time series or numbers"),
        ("IF(1, 1, 0)", "IF needs a time series among"),
        ("SORT([e], STDDEV, ASC)", "SORT by STDDEV"),
        ("SORT([e], AVG, UP)", "SORT's order is UP"),
        ("SLICE([e], 0.5)", "whole numbers"),
        ("TIME_SERIES(e)", "TIME_SERIES needs a number"),
        ("e < n < z", "is not supported"),
        ("e +", "cannot be read"),
        ("", "cannot be read"),
        ("+".join("e" * 300), "nested more than"),
        ("e" * 3000, "at most 2048"),
    ],
)
def test_what_is_not_there_is_an_error_that_names_it(expression, said):
    with pytest.raises(ExpressionError, match=said):
        value(expression)


def test_nobody_can_have_a_year_of_seconds_made_up():
    with pytest.raises(ExpressionError, match="more than 100800 points"):
        evaluate("TIME_SERIES(1)", _METRICS.__getitem__, 1, span=Span(start=0, end=31_536_000))


@pytest.mark.parametrize("name", ["in", "is", "if", "for", "lambda"])
def test_an_id_may_be_a_keyword_of_python(name):
    series = Series({0: 2.0}, 60)
    found = evaluate(
        f"IF({name} > 1 AND {name} < 3, {name} * 2, 0)", {name: series}.__getitem__, 60, span=_SPAN
    )
    assert dict(found.points) == {0: 4.0}
