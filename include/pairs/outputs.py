"""Outputs, inputs and their comparison, as SQL over the text that a container was sent or answered.

Every expression is NULL where the text does not hold what was asked for: nothing here raises on bad data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from include.rollout.comparison import Output, PairsSection, Place, Segment

JSON_COMPARISON = "penumbra_documents"  # the name of the function that compares two JSON documents
CSV_COLUMN = "penumbra_csv_column"  # and of that which reads a column of a line with quotes

_NUMBERS = (Output.SCALAR, Output.VECTOR)
_REPEATS = 1000  # of a group in one of RE2's expressions
_LONGEST_VALUE = 40  # characters of a segment's value


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """SQL over the outputs of production and shadow, p and s, of which at least one is not NULL.

    An output that is one number stands in p_number and s_number instead: such outputs are many, and lists are slow.
    """

    same: str
    close: str
    flip: str
    difference: str  # shadow minus production; NULL where there is nothing to measure
    first: str = "NULL::DOUBLE"  # the first number of the output {x}, NULL where outputs are no numbers
    rise: str = "false"  # the decision about the first number turned positive
    fall: str = "false"  # and negative
    fit: str = "p IS NOT NULL AND s IS NOT NULL"  # the two can be laid side by side at all
    measured: bool = True  # whether a difference is expected of every pair that fits


def number_of(terms: PairsSection, text: str) -> str:
    """Return the number that `text` is as a whole, NULL if it is none or the output is to be found elsewhere in it."""
    return f"try_cast({text} AS DOUBLE)" if terms.output in _NUMBERS and terms.at is None else "NULL::DOUBLE"


def raw_output(terms: PairsSection, text: str, number: str) -> str:
    """Return what stands in `text` where the output is to be found, as it is; NULL where `number_of` found a `number`."""
    match terms.output:
        case Output.SCALAR | Output.VECTOR:
            return _numbers(terms.at, text, number)
        case Output.LABEL:
            return _one(terms.at, text)
        case Output.RANKED:
            return _items(terms.at, text)
        case Output.JSON:
            path = literal(str(terms.at))
            return text if terms.at is None else f"try(json_extract({text}, {path}))::VARCHAR"


def output_of(terms: PairsSection, raw: str, number: str) -> tuple[str, str]:
    """Return the output that was found, ready to be compared: in the first if it is one number, else in the second.

    Both are NULL where it cannot be read.
    """
    match terms.output:
        case Output.SCALAR | Output.VECTOR:  # NaN is the greatest number here
            whole = f"len({raw}) > 1 AND list_count({raw}) = len({raw})"
            finite = f"isfinite(list_max({raw})) AND isfinite(list_min({raw}))"
            single = f"CASE WHEN {number} IS NOT NULL THEN {number} WHEN len({raw}) = 1 THEN {raw}[1] END"
            return (
                f"CASE WHEN isfinite({single}) THEN {single} END",
                f"CASE WHEN {whole} AND {finite} THEN {raw} END",
            )
        case Output.LABEL:
            output = f"nullif(trim({raw}, {_BLANKS}), '')"
        case Output.RANKED:
            output = f"nullif({raw}[1:{terms.top}], [])"
        case Output.JSON:
            output = f"CASE WHEN json_valid({raw}) THEN {raw} END"
    return "NULL::DOUBLE", output


def comparison_of(terms: PairsSection) -> Comparison:
    """Return how two outputs that `output_of` read are compared."""
    if terms.output in _NUMBERS:
        return _numeric(terms)
    both = "p IS NOT NULL AND s IS NOT NULL"
    if terms.output is Output.JSON:
        told = f"CASE WHEN {both} THEN CASE WHEN p = s THEN [1.0, 0.0] ELSE {JSON_COMPARISON}(p, s) END END"
        close = f"coalesce(({told})[1] = 1, false)"
        return Comparison(
            same="p IS NOT DISTINCT FROM s",
            close=close,
            flip=f"NOT {close}",
            difference=f"({told})[2]",
        )
    if terms.output is Output.RANKED:
        shared = "len(list_intersect(p, s)) / greatest(len(list_distinct(p)), len(list_distinct(s)))"
        close = f"coalesce({shared} >= {terms.overlap!r}, false)"
        return Comparison(
            same="p IS NOT DISTINCT FROM s",
            close=close,
            flip=f"NOT {close}",
            difference=f"(1 - {shared})::DOUBLE",
        )
    equal = "p IS NOT DISTINCT FROM s"
    return Comparison(
        same=equal,
        close=equal,
        flip=f"NOT ({equal})",
        difference="NULL::DOUBLE",
        measured=False,
    )


def _numeric(terms: PairsSection) -> Comparison:
    side = None if terms.threshold is None else f"{terms.threshold!r}::DOUBLE"
    p, s = (f"coalesce({x}, CASE WHEN {x}_number IS NOT NULL THEN [{x}_number] END)" for x in ("p", "s"))
    fit = f"coalesce(len({p}) = len({s}), false)"

    def near(a: str, b: str) -> str:
        return f"abs({b} - {a}) <= {terms.absolute!r}::DOUBLE + {terms.relative!r}::DOUBLE * abs({a})"

    def crossed(a: str, b: str) -> str:
        return f"({a} >= {side}) <> ({b} >= {side})"

    def each(told: Callable[[str, str], str]) -> str:
        return f"list_transform(list_zip({p}, {s}), lambda z: {told('z[1]', 'z[2]')})"

    def either(single: str, several: str) -> str:
        """Return the first if both outputs are one number, else the second, which is looked at only then."""
        return f"CASE WHEN p_number IS NOT NULL AND s_number IS NOT NULL THEN {single} ELSE {several} END"

    near_one, near_all = near("p_number", "s_number"), f"({fit} AND list_bool_and({each(near)}))"
    if side is not None:
        flip = either(crossed("p_number", "s_number"), f"NOT {fit} OR list_bool_or({each(crossed)})")
    elif terms.argmax:
        largest = [f"list_position({x}, list_max({x}))" for x in (p, s)]
        flip = either("false", f"NOT {fit} OR {largest[0]} <> {largest[1]}")
    else:
        flip = either(f"NOT ({near_one})", f"NOT {near_all}")
    gaps = each(lambda a, b: f"{b} - {a}")
    gap = f"CASE WHEN -list_min({gaps}) > list_max({gaps}) THEN list_min({gaps}) ELSE list_max({gaps}) END"
    first = "coalesce({x}_number, {x}[1])"
    before, after = (first.format(x=x) for x in ("p", "s"))
    return Comparison(
        same="(p_number IS NOT DISTINCT FROM s_number AND p IS NOT DISTINCT FROM s)",
        close=either(near_one, near_all),
        flip=flip,
        difference=either("s_number - p_number", f"CASE WHEN {fit} THEN {gap} END"),
        first=first,
        fit=either("true", fit),
        rise="false" if side is None else f"coalesce({before} < {side} AND {after} >= {side}, false)",
        fall="false" if side is None else f"coalesce({before} >= {side} AND {after} < {side}, false)",
    )


def latency_of(terms: PairsSection, text: str) -> str:
    """Return the container's own time in the output, NULL unless it is a finite number above zero."""
    if terms.latency is None:
        return "NULL::DOUBLE"
    value = f"try_cast({_one(terms.latency, text)} AS DOUBLE)"
    return f"CASE WHEN isfinite({value}) AND {value} > 0 THEN {value} END"


def raw_segment(segment: Segment, text: str) -> str:
    """Return what stands in the first row of an input where the segment is told."""
    if isinstance(segment.at, str):
        return _one(segment.at, text)
    column = segment.at
    if column <= _REPEATS:  # stops at the column, where split_part cuts the whole row
        plain = f"regexp_extract({text}, '^(?:[^,\\n]*,){{{column}}}([^,\\n]*)', 1)"
    else:
        plain = f"split_part(split_part({text}, chr(10), 1), ',', {column + 1})"
    return f"CASE WHEN contains({text}, '\"') THEN {CSV_COLUMN}({text}, {column}) ELSE {plain} END"


def segment_of(segment: Segment, raw: str) -> str:
    """Return the segment that `raw_segment` found: text, or the interval between two edges."""
    if not segment.edges:
        return f"coalesce(nullif(left(trim({raw}, {_BLANKS}), {_LONGEST_VALUE}), ''), '(none)')"
    number, edges = f"try_cast({raw} AS DOUBLE)", segment.edges
    cases = [f"WHEN {number} < {edges[0]!r}::DOUBLE THEN {literal(f'below {edges[0]:g}')}"]
    for low, high in pairwise(edges):
        cases.append(f"WHEN {number} < {high!r}::DOUBLE THEN {literal(f'{low:g} to {high:g}')}")
    last = literal(f"from {edges[-1]:g}")
    return f"CASE {' '.join(cases)} WHEN {number} >= {edges[-1]!r}::DOUBLE AND NOT isnan({number}) THEN {last} ELSE '(none)' END"


def literal(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


_BLANKS = "' ' || chr(9) || chr(10) || chr(13)"


def _numbers(at: Place | None, text: str, number: str) -> str:
    if at is None:
        rows = f"replace(trim({text}, {_BLANKS}), chr(10), ',')"
        return (
            f"CASE WHEN {number} IS NOT NULL THEN NULL "
            f"WHEN starts_with({rows}, '[') THEN try_cast(try(json_extract({text}, '$[*]')) AS DOUBLE[]) "
            f"ELSE try_cast(string_split({rows}, ',') AS DOUBLE[]) END"
        )
    if isinstance(at, int):
        rows = f"string_split(trim({text}, {_BLANKS}), chr(10))"
        return f"try_cast(list_transform({rows}, lambda row: split_part(row, ',', {at + 1})) AS DOUBLE[])"
    if "*" in at:
        return f"try_cast(try(json_extract({text}, {literal(at)})) AS DOUBLE[])"
    value = f"try(json_extract({text}, {literal(at)}))"
    return f"coalesce(try_cast({value} AS DOUBLE[]), [try_cast({value} AS DOUBLE)])"


def _one(at: Place | None, text: str) -> str:
    if at is None:
        return text
    if isinstance(at, int):
        return f"split_part(string_split(trim({text}, {_BLANKS}), chr(10))[1], ',', {at + 1})"
    return f"try(json_extract_string({text}, {literal(at)}))"


def _items(at: Place | None, text: str) -> str:
    whole = f"trim({text}, {_BLANKS})"
    if at is None:
        return (
            f"CASE WHEN starts_with({whole}, '[') THEN try(json_extract_string({text}, '$[*]')) "
            f"ELSE list_transform(string_split(replace({whole}, chr(10), ','), ','), lambda item: trim(item)) END"
        )
    if isinstance(at, int):
        rows = f"string_split({whole}, chr(10))"
        return f"list_transform({rows}, lambda row: trim(split_part(row, ',', {at + 1})))"
    path = at if "*" in at else f"{at}[*]"
    return f"try(json_extract_string({text}, {literal(path)}))"
