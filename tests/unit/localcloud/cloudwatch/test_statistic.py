"""Statistics by their CloudWatch names."""

import numpy as np
import pytest

from include.localcloud.cloudwatch.samples import Samples
from include.localcloud.cloudwatch.statistic import UnknownStatisticError, statistic

_SAMPLES = Samples.of(list(range(1, 101)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SampleCount", 100),
        ("Sum", 5050),
        ("Average", 50.5),
        ("Minimum", 1),
        ("Maximum", 100),
        ("p0", 1),
        ("p50", 50.5),
        ("p99.9", float(np.percentile(range(1, 101), 99.9))),
        ("p100", 100),
        ("tm90", 45.5),
        ("TM(10%:90%)", 50.5),
        ("TM(:90)", 45.5),
        ("TC(90:)", 10),
        ("TC(0%:80%)", 80),
        ("TS(98:100)", 199),
        ("PR(:25)", 25),
        ("PR(25:75)", 50),
        ("WM(:90)", (45.5 * 90 + 90 * 10) / 100),
        ("IQM", 50.5),
    ],
)
def test_a_statistic_gives_the_number_its_definition_gives(name, value):
    assert statistic(name)(_SAMPLES) == pytest.approx(value)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "median",
        "p101",
        "p",
        "tm101",
        "TM(:)",
        "TM(90%:10%)",
        "PR(10%:20%)",
        "TM(10%:90)",
        "TC(1.2.3:4)",
        "P90",
        "TM90",
        "tm(1:2)",
    ],
)
def test_what_is_no_statistic_is_refused_by_name(name):
    with pytest.raises(UnknownStatisticError, match="is no statistic"):
        statistic(name)


@pytest.mark.parametrize("name", ["p50", "TM(10%:90%)", "PR(:1)", "IQM"])
def test_a_statistic_set_gives_none_for_what_needs_values(name):
    assert statistic(name)(Samples.summary(count=3, total=9.0, low=1.0, high=5.0)) is None


@pytest.mark.parametrize("name", ["p50", "tm90", "PR(:1)", "IQM"])
def test_what_needs_values_is_not_there_when_one_is_negative(name):
    assert statistic(name)(Samples.of([-1.0, 2.0])) is None
    assert statistic("Average")(Samples.of([-1.0, 2.0])) == 0.5


def test_nothing_between_the_bounds_is_no_mean():
    assert statistic("TM(200:300)")(_SAMPLES) is None
    assert statistic("TC(200:300)")(_SAMPLES) == 0
