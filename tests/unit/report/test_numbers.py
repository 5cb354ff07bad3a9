"""Numbers and moments as people read them."""

import math

import pytest

from include.report import numbers


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (numbers.count(12345), "12,345"),
        (numbers.percent(0.0213), "2.13 %"),
        (numbers.points(0.005), "+0.5 pp"),
        (numbers.points(-0.0012), "-0.12 pp"),
        (numbers.points(2e-7), "+0.00002 pp"),
        (numbers.milliseconds(12.345), "12.3 ms"),
        (numbers.ratio(1.0412), "1.041x"),
        (numbers.evidence(math.log(100)), "100"),
        (numbers.evidence(80), "10^35"),
        (numbers.evidence(-80), "10^-35"),
        (numbers.span(3725), "1 h 2 min"),
        (numbers.span(0), "0 s"),
        (numbers.span(86400), "1 d"),
        (numbers.significant(1234567), "1,234,567"),
        (numbers.instant("2026-03-01T12:00:05Z"), "2026-03-01 12:00:05 UTC"),
        (numbers.instant("whenever"), "whenever"),
    ],
)
def test_a_number_is_written_with_few_digits_and_its_unit(written, expected):
    assert written == expected


@pytest.mark.parametrize("value", [None, math.nan, math.inf, "5", True, {}])
def test_what_is_not_known_is_a_dash(value):
    for write in (
        numbers.count,
        numbers.percent,
        numbers.points,
        numbers.milliseconds,
        numbers.ratio,
        numbers.span,
    ):
        assert write(value) == numbers.DASH
    assert numbers.measure(value, "requests") == numbers.DASH


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0.0188, "errors per request, shadow minus production", "+1.88 pp"),
        (0.0188, "errors per request of the shadow", "1.88 %"),
        (0.9, "share of periods", "90 %"),
        (24.5, "milliseconds", "24.5 ms"),
        (2000.0, "requests", "2,000"),
        (1.008, "ratio of the periods' p90", "1.008x"),
        (3.25, "furlongs", "3.25"),
    ],
)
def test_an_effect_is_written_in_its_findings_unit(value, unit, expected):
    assert numbers.measure(value, unit) == expected
