"""Which state follows from datapoints: M of N, and every treatment of missing data."""

import pytest

from include.localcloud.cloudwatch.alarm import evaluated

_TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
_STATES = {"OK": "OK", "ALARM": "ALARM", "INSUFFICIENT": "INSUFFICIENT_DATA", "same": None}


def points(drawn: str) -> list[bool | None]:
    """Read a drawing of datapoints: X breaches, 0 does not, - is missing."""
    return [{"X": True, "0": False, "-": None}[each] for each in drawn.split()]


# The rows are those of the CloudWatch user guide, "Configuring how CloudWatch alarms treat missing data".
@pytest.mark.parametrize(
    ("to_alarm", "drawn", "states"),
    [
        (3, "0 - X - X", "OK OK OK OK"),
        (3, "- - - - 0", "OK OK OK OK"),
        (3, "- - - - -", "INSUFFICIENT same ALARM OK"),
        (3, "0 X X - X", "ALARM ALARM ALARM ALARM"),
        (3, "- - X - -", "ALARM same ALARM OK"),
        (2, "0 - X - X", "ALARM ALARM ALARM ALARM"),
        (2, "0 0 X 0 X", "ALARM ALARM ALARM ALARM"),
        (2, "0 - X - -", "OK OK ALARM OK"),
        (2, "- - - - 0", "OK OK ALARM OK"),
        (2, "- - - X -", "ALARM same ALARM OK"),
        (3, "- - - - X", "same same ALARM OK"),  # no alarm before the point is three periods old
    ],
)
def test_the_tables_of_the_user_guide(to_alarm: int, drawn: str, states: str) -> None:
    found = [
        evaluated(points(drawn), periods=3, to_alarm=to_alarm, treatment=treatment)
        for treatment in _TREATMENTS
    ]
    assert found == [_STATES[state] for state in states.split()]


def test_only_the_last_periods_count_when_none_is_missing() -> None:
    drawn = points("X X 0 X 0")
    assert evaluated(drawn, periods=3, to_alarm=2, treatment="missing") == "OK"
    assert evaluated(drawn, periods=3, to_alarm=1, treatment="missing") == "ALARM"
