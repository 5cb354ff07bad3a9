"""Metric math: arithmetic, comparisons and functions over time series, numbers and arrays of series.

What is not there is an error that names it: an expression that silently gives no points would look like a metric
without data. Syntax and meaning: CloudWatch user guide, "Using math expressions with CloudWatch metrics".
"""

import ast
import keyword
import math
import re
from collections.abc import Callable

from include.localcloud.cloudwatch.function import AGGREGATES, OF_ONE, chosen, filled, of_one, ordered
from include.localcloud.cloudwatch.series import (
    ExpressionError,
    Operation,
    Series,
    Span,
    Value,
    array,
    combined,
    each,
)

__all__ = ["ExpressionError", "Series", "Span", "Value", "evaluate"]

_LONGEST = 2048  # characters of an expression
_DEEPEST = 50
_DEFAULT_PERIOD = 60
_OF_SEVERAL = ("FILL", "IF", "METRICS", "SLICE", "SORT")
# Python's words for what metric math writes differently; strings are left alone
_TOKENS = re.compile(r"\"[^\"]*\"|'[^']*'|\^|&&|\|\||\bAND\b|\bOR\b|\b[a-z]\w*")
_NO_KEYWORD = "é"  # ends an id such as `in`, which is a keyword to Python; no id of a query has this letter
_IN_PYTHON = {"^": "**", "&&": " and ", "||": " or ", "AND": "and", "OR": "or"} | {
    word: word + _NO_KEYWORD for word in keyword.kwlist if word not in {"and", "or"}
}

Lookup = Callable[[str], Value]


def _divide(left: float, right: float) -> float:
    return left / right if right else math.nan  # not finite: no point at that time


def _power(left: float, right: float) -> float:
    try:
        value = left**right
    except (OverflowError, ZeroDivisionError):
        return math.nan
    return value if isinstance(value, float) else math.nan


_OPERATORS: dict[type[ast.AST], Operation] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: _divide,
    ast.Pow: _power,
    ast.Lt: lambda left, right: float(left < right),
    ast.LtE: lambda left, right: float(left <= right),
    ast.Gt: lambda left, right: float(left > right),
    ast.GtE: lambda left, right: float(left >= right),
    ast.Eq: lambda left, right: float(left == right),
    ast.NotEq: lambda left, right: float(left != right),
    ast.And: lambda left, right: float(bool(left) and bool(right)),
    ast.Or: lambda left, right: float(bool(left) or bool(right)),
}


def evaluate(
    expression: str,
    lookup: Lookup,
    period: int,
    *,
    span: Span,
    metrics: Callable[[], dict[str, Series]] = dict,
) -> Series | list[Series]:
    """Return the series, or the array of series, that the expression gives; raise ExpressionError.

    `lookup` gives the value of another query's id, and `metrics` the queries that are metrics, by id. `period`
    (0: the finest period named) is the result's. Points that are not finite are left out.
    """
    if len(expression) > _LONGEST:
        raise ExpressionError(f"it has {len(expression)} characters; at most {_LONGEST} are allowed.")
    text = _TOKENS.sub(lambda match: _IN_PYTHON.get(match[0], match[0]), expression).strip()
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ExpressionError(f"'{expression}' cannot be read as metric math.") from error
    value = _Evaluation(lookup, metrics, span, period or _DEFAULT_PERIOD).value(tree.body, 0)
    if isinstance(value, float):
        raise ExpressionError("it gives a number; metric math must return a time series or several.")
    if isinstance(value, list):
        return [Series(series.points, period or series.period, series.label) for series in value]
    return Series(value.points, period or value.period, value.label)


class _Evaluation:
    def __init__(
        self, lookup: Lookup, metrics: Callable[[], dict[str, Series]], span: Span, period: int
    ) -> None:
        self._lookup, self._metrics, self._span, self._period = lookup, metrics, span, period

    def value(self, node: ast.AST, depth: int) -> Value:
        if depth > _DEEPEST:
            raise ExpressionError(f"it is nested more than {_DEEPEST} levels deep.")
        match node:
            case ast.Constant(value=bool() | str() | bytes() | None):
                raise ExpressionError('strings stand in METRICS("…") only.')
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name(id=name):
                return self._lookup(name.removesuffix(_NO_KEYWORD))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return combined(_OPERATORS[ast.Mult], -1.0, self.value(operand, depth + 1))
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATORS:
                return self._joined(operator, [left, right], depth)
            case ast.Compare(left=left, ops=[operator], comparators=[right]) if type(operator) in _OPERATORS:
                return self._joined(operator, [left, right], depth)
            case ast.BoolOp(op=operator, values=values):
                return self._joined(operator, values, depth)
            case ast.List(elts=elements):
                return self._array(elements, depth)
            case ast.Call(func=ast.Name(id=function), args=arguments, keywords=[]):
                return self._call(function.upper(), arguments, depth)
        raise ExpressionError(f"'{ast.unparse(node)}' is not supported by the local cloud.")

    def _joined(self, operator: ast.AST, operands: list[ast.expr], depth: int) -> Value:
        value = self.value(operands[0], depth + 1)
        for operand in operands[1:]:
            value = combined(_OPERATORS[type(operator)], value, self.value(operand, depth + 1))
        return value

    def _array(self, elements: list[ast.expr], depth: int) -> list[Series]:
        listed: list[Series] = []
        for element in elements:
            match self.value(element, depth + 1):
                case Series() as series:
                    listed.append(series)
                case list() as several:
                    listed.extend(several)
                case _:
                    raise ExpressionError("an array [..] must hold time series only.")
        return listed

    def _call(self, function: str, arguments: list[ast.expr], depth: int) -> Value:
        match function, arguments:
            case "METRICS", []:
                return list(self._metrics().values())
            case "METRICS", [ast.Constant(value=str() as part)]:
                return [series for name, series in self._metrics().items() if part in name]
            case "FILL", [value, filler]:
                return self._fill(self.value(value, depth + 1), filler, depth)
            case "IF", [_, _] | [_, _, _]:
                condition, yes, *no = (self.value(argument, depth + 1) for argument in arguments)
                return chosen(condition, yes, no[0] if no else None)
            case "SLICE", [value, *ends] if 1 <= len(ends) <= 2:
                listed = array(self.value(value, depth + 1), function)
                return listed[
                    slice(*[self._whole(end, function, depth) for end in ends], *[None] * (2 - len(ends)))
                ]
            case "SORT", [value, ast.Name(id=by), ast.Name(id=order), *limit] if len(limit) <= 1:
                return self._sort(value, by, order, limit, depth)
            case _, [value] if function in OF_ONE:
                return of_one(function, self.value(value, depth + 1), self._span, self._period)
        known = ", ".join(sorted({*OF_ONE, *_OF_SEVERAL}))
        raise ExpressionError(
            f"{function} with {len(arguments)} arguments is not supported; there are {known}."
        )

    def _fill(self, value: Value, filler: ast.expr, depth: int) -> Value:
        with_what: float | Series | str
        if isinstance(filler, ast.Name) and filler.id.upper() in {"REPEAT", "LINEAR"}:
            with_what = filler.id.upper()
        else:
            found = self.value(filler, depth + 1)
            if isinstance(found, list):
                raise ExpressionError(
                    "FILL needs a number, a time series, REPEAT or LINEAR as its second argument."
                )
            with_what = found
        return each(value, lambda series: filled(series, with_what, self._span), "FILL")

    def _sort(self, value: ast.expr, by: str, order: str, limit: list[ast.expr], depth: int) -> list[Series]:
        if by.upper() not in AGGREGATES.keys() & {"AVG", "MIN", "MAX", "SUM"}:
            raise ExpressionError(f"SORT by {by} is not supported; there are AVG, MAX, MIN and SUM.")
        if order.upper() not in {"ASC", "DESC"}:
            raise ExpressionError(f"SORT's order is {order}; it must be ASC or DESC.")
        most = self._whole(limit[0], "SORT", depth) if limit else None
        listed = array(self.value(value, depth + 1), "SORT")
        return ordered(listed, by.upper(), order.upper() == "DESC", most)

    def _whole(self, node: ast.expr, function: str, depth: int) -> int:
        number = self.value(node, depth + 1)
        if not isinstance(number, float) or number < 0 or number != int(number):
            raise ExpressionError(f"{function} needs whole numbers of 0 or more to count with.")
        return int(number)
