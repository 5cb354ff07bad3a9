"""Metric math: what it gives, and that nothing unknown passes silently."""

import pytest

from include.localcloud.cloudwatch.expression import ExpressionError, Series, evaluate

_SERIES = {
    "e": Series({0: 1.0, 60: 0.0, 120: 3.0}, 60),
    "n": Series({0: 10.0, 60: 20.0, 180: 40.0}, 60),
    "z": Series({0: 0.0, 60: 2.0}, 60),
}


def _of(expression):
    return dict(evaluate(expression, _SERIES.__getitem__, 0).points)


@pytest.mark.parametrize(
    ("expression", "points"),
    [
        ("e", {0: 1.0, 60: 0.0, 120: 3.0}),
        ("e / n * 100", {0: 10.0, 60: 0.0}),
        ("100*(e+n)", {0: 1100.0, 60: 2000.0}),
        ("-z + 1", {0: 1.0, 60: -1.0}),
        ("z^2", {0: 0.0, 60: 4.0}),
        ("n/z", {60: 10.0}),
        ("n > 15", {0: 0.0, 60: 1.0, 180: 1.0}),
        ("FILL(n, 0)", {0: 10.0, 60: 20.0, 120: 0.0, 180: 40.0}),
        ("IF(n > 15, n, 0)", {0: 0.0, 60: 20.0, 180: 40.0}),
        ("SUM([e, n])", {0: 11.0, 60: 20.0, 120: 3.0, 180: 40.0}),
        ("n - AVG(n) + 0", {0: 10 - 70 / 3, 60: 20 - 70 / 3, 180: 40 - 70 / 3}),
        ("n / PERIOD(n)", {0: 10 / 60, 60: 20 / 60, 180: 40 / 60}),
    ],
)
def test_an_expression_gives_the_points_that_arithmetic_gives(expression, points):
    assert _of(expression) == pytest.approx(points)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("SEARCH('{AWS/SageMaker} Invocations')", "SEARCH with 1 arguments is not supported"),
        ("ANOMALY_DETECTION_BAND(e, 2)", "ANOMALY_DETECTION_BAND with 2 arguments is not supported"),
        ("e.x", "'e.x' is not supported"),
        ("__import__('os')", "__IMPORT__ with 1 arguments is not supported"),
        ("1 + 1", "no single time series"),
        ("SUM(e)", "no single time series"),
        ("FILL(e, REPEAT)", "FILL with REPEAT is not supported"),
        ("e +", "cannot be read"),
        ("", "cannot be read"),
        ("+".join("e" * 300), "nested more than"),
        ("e" * 3000, "at most 2048"),
    ],
)
def test_what_is_not_there_is_an_error_that_names_it(expression, said):
    with pytest.raises(ExpressionError, match=said):
        _of(expression)
