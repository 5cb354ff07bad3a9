"""How numbers and moments are written on a page: few digits, a unit, and a dash for what was not measured."""

from __future__ import annotations

import math
from datetime import timedelta

from include.rollout.names import moment

DASH = "–"


def known(value: object) -> float | None:
    """Return `value` if it is a finite number: what an older or damaged ledger holds instead is not known."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def count(number: object) -> str:
    """Write a count with separators: 12345 is "12,345"."""
    value = known(number)
    return DASH if value is None else f"{value:,.0f}"


def percent(share: object) -> str:
    """Write a share as a percentage with three significant digits: 0.0213 is "2.13 %"."""
    value = known(share)
    return DASH if value is None else f"{significant(100 * value)} %"


def points(difference: object) -> str:
    """Write a difference of shares in percentage points, with its sign: 0.005 is "+0.5 pp"."""
    value = known(difference)
    if value is None:
        return DASH
    written = significant(100 * value)
    return f"{'+' if value > 0 and written != '0' else ''}{written} pp"


def milliseconds(number: object) -> str:
    """Write a latency held in milliseconds: 12.345 is "12.3 ms"."""
    value = known(number)
    return DASH if value is None else f"{significant(value)} ms"


def ratio(number: object) -> str:
    """Write a ratio: 1.0412 is "1.041x", as the gates' reasons do."""
    value = known(number)
    return DASH if value is None else f"{value:.3f}x"


def measure(number: object, unit: object) -> str:
    """Write an effect, an interval's side or a limit in the unit that its finding names."""
    value, named = known(number), str(unit)
    if value is None:
        return DASH
    if named.startswith("errors per request"):
        return points(value) if "minus" in named else percent(value)
    if named.startswith("share"):
        return percent(value)
    if named.startswith("milliseconds"):
        return milliseconds(value)
    if named.startswith("requests"):
        return count(value)
    if "ratio" in named:
        return ratio(value)
    return significant(value)


def significant(value: float) -> str:
    """Write a number with three significant digits and without an exponent; below a millionth it is 0."""
    if abs(value) < 5e-7:
        return "0"
    text = f"{value:.3g}"
    if "e" not in text:
        return text
    return f"{value:,.0f}" if abs(value) >= 1 else f"{value:.6f}".rstrip("0")


def evidence(number: object) -> str:
    """Write an e-value given as its natural logarithm; outside 1e-4 to 1e6 only its power of ten is told."""
    log_e = known(number)
    if log_e is None:
        return DASH
    power = log_e / math.log(10)
    return significant(math.exp(log_e)) if -4 <= power <= 6 else f"10^{power:.0f}"


def span(number: object) -> str:
    """Write a duration of so many seconds in its two largest units: 3725 is "1 h 2 min"."""
    seconds = known(number)
    if seconds is None:
        return DASH
    whole = max(0, round(seconds))
    parts = [
        (whole // 86400, "d"),
        (whole % 86400 // 3600, "h"),
        (whole % 3600 // 60, "min"),
        (whole % 60, "s"),
    ]
    first = next((at for at, (number, _) in enumerate(parts) if number), len(parts) - 1)
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2] if number) or "0 s"


def between(begin: str | None, end: str | None) -> timedelta | None:
    """Return the time between two stored moments, or None if one was not written."""
    return moment(end) - moment(begin) if begin and end else None


def instant(text: object) -> str:
    """Write a stored moment for people: "2026-03-01 12:00:05 UTC"; what is no moment is written as it is."""
    try:
        return f"{moment(str(text)):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return str(text)
