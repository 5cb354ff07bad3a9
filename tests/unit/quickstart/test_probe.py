"""Whether this machine can compare two variants: what two equal ones measured, and where that is too far apart."""

from datetime import UTC, datetime, timedelta

import pytest

from quickstart import probe

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
END = BEGIN + timedelta(seconds=30)


class Metrics:
    """CloudWatch with three periods of both variants, the shadow's latencies `factor` times production's."""

    def __init__(self, factor, *, missing=()):
        self.factor, self.missing = factor, missing

    def get_metric_data(self, *, MetricDataQueries, StartTime, EndTime):
        assert (StartTime, EndTime) == (BEGIN, END)
        return {"MetricDataResults": [self._result(query["Id"]) for query in MetricDataQueries]}

    def _result(self, name):
        variant, _, stat = name.partition("_")
        values = {"p50": [12_000.0, 11_000.0, 13_000.0], "p90": [16_000.0] * 3, "samplecount": [600.0] * 3}[
            stat
        ]
        if variant == "shadow" and stat != "samplecount":
            values = [self.factor * value for value in values]
        return {"Id": name, "Values": values[1:] if name in self.missing else values}


@pytest.mark.parametrize("factor", [1.04, 0.96])
def test_what_equal_variants_may_differ_by_lets_the_demonstration_go_on(factor):
    offset = probe._read(Metrics(factor), BEGIN, END)
    assert offset.by_quantile == pytest.approx({"p50": factor - 1, "p90": factor - 1})
    assert offset.requests == 1800
    offset.refuse_above(probe.LIMIT)


@pytest.mark.parametrize("factor", [1.06, 0.94])
def test_more_than_that_either_way_is_refused_with_the_numbers(factor):
    offset = probe._read(Metrics(factor), BEGIN, END)
    with pytest.raises(
        probe.UnfitError, match=r"differ by [+-]6\.0% at p50, [+-]6\.0% at p90 over 1800 requests"
    ):
        offset.refuse_above(probe.LIMIT)


def test_nothing_is_said_before_every_period_is_published():
    assert probe._read(Metrics(1.0, missing=("shadow_p90",)), BEGIN, END) is None
