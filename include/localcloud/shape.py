"""Walks over botocore's shapes: wire value → typed, checked parameters, and result → wire value.

The texts of constraint violations are AWS's own form ("Value 'x' at 'endpointName' failed to satisfy
constraint: Member must …"), with a list's items counted from 1.
"""

import base64
import binascii
import datetime
import functools
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from botocore.model import Shape

_MAX_SHOWN_CHARACTERS = 200
_NAMED_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class MalformedInputError(Exception):
    """The input is not even of the right types."""


def typed(value: Any, shape: Shape) -> tuple[Any, list[str]]:
    """Return the value with the shape's Python types, and one sentence for each constraint it breaks.

    Members that the shape does not know and nulls are dropped, as AWS does. Timestamps become aware UTC
    datetimes, blobs become bytes. Raises MalformedInputError for a value of the wrong type.
    """
    faults: list[str] = []
    return _typed(value, shape, "", faults), faults


def plain(value: Any, shape: Shape, time: Callable[[float], Any], blob: Callable[[bytes], Any]) -> Any:
    """Return the value as the wire wants it; raise TypeError for a member that the shape does not have."""
    kind = shape.type_name
    if kind == "structure":
        unknown = value.keys() - shape.members.keys()
        if unknown:
            raise TypeError(f"{shape.name} has no member {sorted(unknown)}; the model of botocore decides")
        return {
            name: plain(member, shape.members[name], time, blob)
            for name, member in value.items()
            if member is not None
        }
    if kind == "list":
        return [plain(item, shape.member, time, blob) for item in value]
    if kind == "map":
        return {key: plain(item, shape.value, time, blob) for key, item in value.items()}
    if kind == "timestamp":
        return time(value.timestamp() if isinstance(value, datetime.datetime) else float(value))
    if kind == "blob":
        return blob(value)
    if kind in {"double", "float"}:
        return float(value)
    return value


def _typed(value: Any, shape: Shape, path: str, faults: list[str]) -> Any:
    match shape.type_name:
        case "structure":
            return _structure(_of_type(value, Mapping, path), shape, path, faults)
        case "list":
            items = _of_type(value, list, path)
            _check_size(items, len(items), shape, path, faults)
            return [
                _typed(item, shape.member, f"{path}.{index}.member", faults)
                for index, item in enumerate(items, start=1)
                if item is not None
            ]
        case "map":
            return _map(_of_type(value, Mapping, path), shape, path, faults)
        case "string" | "character":
            _check_text(_of_type(value, str, path), shape, path, faults)
            return value
        case "integer" | "long":
            return _number(value, shape, path, faults, whole=True)
        case "double" | "float":
            return _number(value, shape, path, faults, whole=False)
        case "boolean":
            return _of_type(value, bool, path)
        case "timestamp":
            return _time(value, path)
        case "blob":
            return _blob(value, path)
        case kind:
            raise MalformedInputError(f"'{path}' is of the type {kind}, which is not spoken here.")


def _structure(value: Mapping[str, Any], shape: Shape, path: str, faults: list[str]) -> dict[str, Any]:
    at = f"{path}." if path else ""
    faults.extend(
        f"Value null at '{at}{_camel(name)}' failed to satisfy constraint: Member must not be null"
        for name in shape.required_members
        if value.get(name) is None
    )
    return {
        name: _typed(value[name], member, f"{at}{_camel(name)}", faults)
        for name, member in shape.members.items()
        if value.get(name) is not None
    }


def _map(value: Mapping[Any, Any], shape: Shape, path: str, faults: list[str]) -> dict[str, Any]:
    _check_size(value, len(value), shape, path, faults)
    return {
        _typed(key, shape.key, f"{path}.key", faults): _typed(item, shape.value, f"{path}.{key}", faults)
        for key, item in value.items()
        if item is not None
    }


def _number(value: Any, shape: Shape, path: str, faults: list[str], *, whole: bool) -> int | float:
    if isinstance(value, str) and not whole and value in _NAMED_NUMBERS:
        value = _NAMED_NUMBERS[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MalformedInputError(f"'{path}' is {_shown(value)}; it must be a number.")
    if whole:
        if value != value // 1:
            raise MalformedInputError(f"'{path}' is {value}; it must be a whole number.")
        value = int(value)
    minimum, maximum = shape.metadata.get("min"), shape.metadata.get("max")
    if minimum is not None and value < minimum:
        _fault(faults, value, path, f"Member must have value greater than or equal to {minimum}")
    if maximum is not None and value > maximum:
        _fault(faults, value, path, f"Member must have value less than or equal to {maximum}")
    return value if whole else float(value)


def _check_text(value: str, shape: Shape, path: str, faults: list[str]) -> None:
    allowed = shape.metadata.get("enum")
    if allowed and value not in allowed:
        _fault(faults, value, path, f"Member must satisfy enum value set: [{', '.join(allowed)}]")
    _check_size(value, len(value), shape, path, faults)
    pattern = _pattern(shape.metadata.get("pattern"))
    if pattern is not None and pattern.fullmatch(value) is None:
        _fault(faults, value, path, f"Member must satisfy regular expression pattern: {pattern.pattern}")


def _check_size(value: Any, size: int, shape: Shape, path: str, faults: list[str]) -> None:
    minimum, maximum = shape.metadata.get("min"), shape.metadata.get("max")
    if minimum is not None and size < minimum:
        _fault(faults, value, path, f"Member must have length greater than or equal to {minimum}")
    if maximum is not None and size > maximum:
        _fault(faults, value, path, f"Member must have length less than or equal to {maximum}")


@functools.cache
def _pattern(text: str | None) -> re.Pattern[str] | None:
    """Compile a model's pattern; those in Java's own dialect (`\\p{L}`) are not checked."""
    if text is None:
        return None
    try:
        return re.compile(text)
    except re.error:
        return None


def _time(value: Any, path: str) -> datetime.datetime:
    if isinstance(value, datetime.datetime):
        return value if value.tzinfo else value.replace(tzinfo=datetime.UTC)
    try:
        if isinstance(value, str) and not value.replace(".", "", 1).lstrip("-").isdigit():
            parsed = datetime.datetime.fromisoformat(value)
            return parsed if parsed.tzinfo else parsed.replace(tzinfo=datetime.UTC)
        return datetime.datetime.fromtimestamp(float(value), tz=datetime.UTC)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise MalformedInputError(f"'{path}' is {_shown(value)}; it must be a time.") from error


def _blob(value: Any, path: str) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        return base64.b64decode(_of_type(value, str, path), validate=True)
    except binascii.Error as error:
        raise MalformedInputError(f"'{path}' is not base64: {error}.") from error


def _of_type(value: Any, kind: type, path: str) -> Any:
    if isinstance(value, kind):
        return value
    raise MalformedInputError(f"'{path}' is {_shown(value)}; it must be a {kind.__name__.lower()}.")


def _fault(faults: list[str], value: Any, path: str, constraint: str) -> None:
    faults.append(f"Value '{_shown(value)}' at '{path}' failed to satisfy constraint: {constraint}")


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _MAX_SHOWN_CHARACTERS else f"{text[:_MAX_SHOWN_CHARACTERS]}…"


def _camel(name: str) -> str:
    return name[:1].lower() + name[1:]
