"""How numbers are written in a reason: few digits, a unit, and never a sign that surprises."""


def percent(share: float) -> str:
    """Write a share as a percentage with three significant digits: 0.0213 is "2.13 %"."""
    return f"{_short(100 * share)} %"


def points(difference: float) -> str:
    """Write a difference of shares in percentage points: 0.005 is "0.5 pp"."""
    return f"{_short(100 * difference)} pp"


def milliseconds(microseconds: float) -> str:
    """Write a latency held in microseconds in milliseconds: 12345 is "12.3 ms"."""
    return f"{_short(microseconds / 1000)} ms"


def times(ratio: float) -> str:
    """Write a ratio: 1.0412 is "1.041x"."""
    return f"{ratio:.3f}x"


def between(low: float, high: float) -> str:
    """Write an interval of ratios: "between 1.041x and 1.102x"."""
    return f"between {times(low)} and {times(high)}"


def count(number: float) -> str:
    """Write a count with separators: 12345 is "12,345"."""
    return f"{number:,.0f}"


def evidence(log_e: float) -> str:
    """Write an e-value given as its natural logarithm; beyond a million only its power of ten is told."""
    if log_e > 13.8:
        return f"10^{log_e / 2.302585:.0f}"
    return f"{2.718281828459045**log_e:,.3g}" if log_e > -700 else "0"


def above(difference: float, written: str) -> str:
    """Say on which side a difference lies: "0.3 pp above", "0.3 pp below", "equal to"."""
    if difference == 0:
        return "equal to"
    return f"{written.lstrip('-')} {'above' if difference > 0 else 'below'}"


def periods(number: int) -> str:
    """Write a number of periods."""
    return "1 period" if number == 1 else f"{number:,} periods"


def _short(value: float) -> str:
    if value == 0 or abs(value) < 5e-7:
        return "0"
    text = f"{value:.3g}"
    return f"{value:,.0f}" if "e" in text and abs(value) >= 1 else text
