"""Metric math: arithmetic over series and numbers, and the functions that are there.

What is not there is an error that names it: an expression that silently gives no points would look like a metric
without data. Syntax and meaning: CloudWatch user guide, "Using math expressions".
"""

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_LONGEST = 2048  # characters of an expression
_DEEPEST = 50


class ExpressionError(ValueError):
    """The expression cannot be evaluated; the text says which part and why."""


@dataclass(frozen=True, slots=True)
class Series:
    """A time series: values by period start (epoch seconds), and the period in seconds."""

    points: Mapping[int, float]
    period: int


Value = Series | float | list[Series]
Lookup = Callable[[str], Series]


def _divide(left: float, right: float) -> float:
    return left / right if right else math.nan  # not finite: no point at that time


def _power(left: float, right: float) -> float:
    try:
        value = left**right
    except (OverflowError, ZeroDivisionError):
        return math.nan
    return value if isinstance(value, float) else math.nan


_OPERATORS: dict[type[ast.AST], Callable[[float, float], float]] = {
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
}


def evaluate(expression: str, lookup: Lookup, period: int) -> Series:
    """Return the series that the expression gives; raise ExpressionError.

    `lookup` gives the series of another query's id; `period` (0: the finest period named) is the result's.
    Operators join series at the times that both have; points that are not finite are left out.
    """
    if len(expression) > _LONGEST:
        raise ExpressionError(f"it has {len(expression)} characters; at most {_LONGEST} are allowed.")
    try:
        tree = ast.parse(expression.replace("^", "**").strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ExpressionError(f"'{expression}' cannot be read as metric math.") from error
    value = _Evaluation(lookup).value(tree.body, 0)
    if not isinstance(value, Series):
        raise ExpressionError("it gives no single time series; metric math must return time series.")
    return Series(value.points, period or value.period)


class _Evaluation:
    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def value(self, node: ast.AST, depth: int) -> Value:
        if depth > _DEEPEST:
            raise ExpressionError(f"it is nested more than {_DEEPEST} levels deep.")
        match node:
            case ast.Constant(value=bool() | str() | bytes() | None):
                raise ExpressionError("strings and names of constants are not supported here.")
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name(id=name):
                return self._lookup(name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return _combined(_OPERATORS[ast.Mult], -1.0, self.value(operand, depth + 1))
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATORS:
                return _combined(
                    _OPERATORS[type(operator)], self.value(left, depth + 1), self.value(right, depth + 1)
                )
            case ast.Compare(left=left, ops=[operator], comparators=[right]) if type(operator) in _OPERATORS:
                return _combined(
                    _OPERATORS[type(operator)], self.value(left, depth + 1), self.value(right, depth + 1)
                )
            case ast.List(elts=elements):
                return self._series_list(elements, depth)
            case ast.Call(func=ast.Name(id=function), args=arguments, keywords=[]):
                return self._call(function.upper(), arguments, depth)
        raise ExpressionError(f"'{ast.unparse(node)}' is not supported by the local cloud.")

    def _series_list(self, elements: list[ast.expr], depth: int) -> list[Series]:
        values = [self.value(element, depth + 1) for element in elements]
        series = [value for value in values if isinstance(value, Series)]
        if not series or len(series) != len(values):
            raise ExpressionError("a list [..] must hold time series only.")
        return series

    def _call(self, function: str, arguments: list[ast.expr], depth: int) -> Value:
        if function == "FILL" and len(arguments) == 2:
            return self._fill(self.value(arguments[0], depth + 1), arguments[1], depth)
        if function == "IF" and len(arguments) == 3:
            condition, yes, no = (self.value(argument, depth + 1) for argument in arguments)
            return _chosen(condition, yes, no)
        if function in _AGGREGATES and len(arguments) == 1:
            return _aggregated(_AGGREGATES[function], self.value(arguments[0], depth + 1))
        if function == "PERIOD" and len(arguments) == 1:
            return float(_series(self.value(arguments[0], depth + 1), function).period)
        known = ", ".join(sorted({*_AGGREGATES, "FILL", "IF", "PERIOD"}))
        raise ExpressionError(
            f"{function} with {len(arguments)} arguments is not supported; there are {known}."
        )

    def _fill(self, value: Value, filler: ast.expr, depth: int) -> Series:
        series = _series(value, "FILL")
        if isinstance(filler, ast.Name) and filler.id.upper() in {"REPEAT", "LINEAR"}:
            raise ExpressionError(f"FILL with {filler.id} is not supported by the local cloud; a number is.")
        number = self.value(filler, depth + 1)
        if not isinstance(number, float):
            raise ExpressionError("FILL needs a number as its second argument.")
        if not series.points:
            return series
        times = range(min(series.points), max(series.points) + 1, max(1, series.period))
        return Series(
            {at: series.points.get(at, number) for at in times} | dict(series.points), series.period
        )


_AGGREGATES: dict[str, Callable[[list[float]], float]] = {
    "SUM": math.fsum,
    "AVG": lambda values: math.fsum(values) / len(values),
    "MIN": min,
    "MAX": max,
}


def _series(value: Value, function: str) -> Series:
    if not isinstance(value, Series):
        raise ExpressionError(f"{function} needs a time series as its first argument.")
    return value


def _aggregated(aggregate: Callable[[list[float]], float], value: Value) -> Value:
    """Return one number over the times of a series, or one series over several, as CloudWatch does."""
    if isinstance(value, Series):
        return aggregate(list(value.points.values())) if value.points else math.nan
    if isinstance(value, list):
        times = sorted({at for series in value for at in series.points})
        points = {
            at: aggregate([series.points[at] for series in value if at in series.points]) for at in times
        }
        return Series(points, min(series.period for series in value))
    raise ExpressionError("SUM, AVG, MIN and MAX need a time series or a list of them.")


def _combined(operation: Callable[[float, float], float], left: Value, right: Value) -> Value:
    if isinstance(left, list) or isinstance(right, list):
        raise ExpressionError("operators on lists of time series are not supported by the local cloud.")
    if isinstance(left, float) and isinstance(right, float):
        return operation(left, right)
    times, period = _times(left, right)
    return Series(_finite({at: operation(_at(left, at), _at(right, at)) for at in times}), period)


def _chosen(condition: Value, yes: Value, no: Value) -> Series:
    """Return, at each time, `yes` where the condition is not 0 and `no` where it is."""
    if isinstance(condition, list) or isinstance(yes, list) or isinstance(no, list):
        raise ExpressionError("IF needs time series or numbers, no lists.")
    times, period = _times(condition, yes, no)
    return Series(_finite({at: _at(yes if _at(condition, at) else no, at) for at in times}), period)


def _times(*values: Series | float) -> tuple[list[int], int]:
    series = [value for value in values if isinstance(value, Series)]
    if not series:
        raise ExpressionError("it names no time series; metric math must return time series.")
    shared = set(series[0].points).intersection(*(each.points for each in series[1:]))
    return sorted(shared), min(each.period for each in series)


def _at(value: Series | float, time: int) -> float:
    return value.points[time] if isinstance(value, Series) else value


def _finite(points: Mapping[int, float]) -> dict[int, float]:
    return {at: value for at, value in points.items() if math.isfinite(value)}
