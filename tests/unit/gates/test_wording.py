"""How numbers are written in a reason."""

import pytest

from include.gates import wording


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (wording.percent(0.021), "2.1 %"),
        (wording.percent(0.000123), "0.0123 %"),
        (wording.percent(0), "0 %"),
        (wording.percent(1), "100 %"),
        (wording.points(0.005), "0.5 pp"),
        (wording.points(-0.02), "-2 pp"),
        (wording.milliseconds(12_345), "12.3 ms"),
        (wording.milliseconds(12_345_678), "12,346 ms"),
        (wording.times(1.0412), "1.041x"),
        (wording.count(12_345.0), "12,345"),
        (wording.above(0.02, "2 pp"), "2 pp above"),
        (wording.above(-0.02, "-2 pp"), "2 pp below"),
        (wording.above(0, "0 pp"), "equal to"),
        (wording.periods(1), "1 period"),
        (wording.periods(1440), "1,440 periods"),
        (wording.evidence(4.60517), "100"),
        (wording.evidence(100), "10^43"),
        (wording.evidence(-1e6), "0"),
    ],
)
def test_numbers_are_short_and_carry_their_unit(written, expected):
    assert written == expected
