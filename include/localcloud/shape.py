"""Walks over botocore's shapes: wire value → typed, checked parameters, and result → wire value.

The texts of constraint violations are AWS's own form ("Value 'x' at 'endpointName' failed to satisfy
constraint: Member must …"), with a list's structures counted from 1 and its strings and numbers told together, as
public reports of such errors have them.
"""

import base64
import binascii
import datetime
import math
from collections.abc import Callable, Mapping
from typing import Any

from botocore.model import Shape

from include.localcloud.constraint import any_broken, broken, demanded, fault, is_plain, shown

_BITS = {"integer": 32, "long": 64}
_KINDS = {str: "string", bool: "boolean", list: "list", Mapping: "structure"}
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
    read = _read(value, shape, path, faults)
    faults.extend(fault(value, shape, path, text) for text in broken(read, shape))
    return read


def _read(value: Any, shape: Shape, path: str, faults: list[str]) -> Any:
    match shape.type_name:
        case "structure":
            return _structure(_of_type(value, Mapping, path), shape, path, faults)
        case "list":
            return _list(_of_type(value, list, path), shape, path, faults)
        case "map":
            return _map(_of_type(value, Mapping, path), shape, path, faults)
        case "string" | "character":
            return _of_type(value, str, path)
        case "integer" | "long" as kind:
            return _whole(value, path, _BITS[kind])
        case "double" | "float":
            return float(_number(value, path))
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
        fault(None, shape.members[name], f"{at}{_camel(name)}", "Member must not be null")
        for name in shape.required_members
        if value.get(name) is None
    )
    given = [name for name in shape.members if value.get(name) is not None]
    if shape.is_tagged_union and len(given) != 1:
        allowed = ", ".join(map(_camel, shape.members))
        raise MalformedInputError(
            f"'{path}' has {len(given)} members; it must have exactly one of {allowed}."
        )
    return {name: _typed(value[name], shape.members[name], f"{at}{_camel(name)}", faults) for name in given}


def _list(value: list[Any], shape: Shape, path: str, faults: list[str]) -> list[Any]:
    """Return the items; plain ones that break a constraint are told together, others each at its place."""
    if not is_plain(shape.member):
        return [
            _typed(item, shape.member, f"{path}.{index}.member", faults)
            for index, item in enumerate(value, start=1)
            if item is not None
        ]
    items = [_read(item, shape.member, path, faults) for item in value if item is not None]
    if any_broken(items, shape.member):
        faults.append(
            fault(value, shape.member, path, f"Member must satisfy constraint: {demanded(shape.member)}")
        )
    return items


def _map(value: Mapping[Any, Any], shape: Shape, path: str, faults: list[str]) -> dict[str, Any]:
    given = {key: item for key, item in value.items() if item is not None}
    keys = [_read(key, shape.key, path, faults) for key in given]
    if any_broken(keys, shape.key):
        faults.append(
            fault(value, shape.key, path, f"Map keys must satisfy constraint: {demanded(shape.key)}")
        )
    if not is_plain(shape.value):
        return {key: _typed(item, shape.value, f"{path}.{key}.member", faults) for key, item in given.items()}
    read = {key: _read(item, shape.value, path, faults) for key, item in given.items()}
    if any_broken(read.values(), shape.value):
        faults.append(
            fault(value, shape.value, path, f"Map value must satisfy constraint: {demanded(shape.value)}")
        )
    return read


def _number(value: Any, path: str) -> int | float:
    if isinstance(value, str) and value in _NAMED_NUMBERS:
        return _NAMED_NUMBERS[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MalformedInputError(f"'{path}' is {shown(value)}; it must be a number.")
    return value


def _whole(value: Any, path: str, bits: int) -> int:
    number = _number(value, path)
    if not math.isfinite(number) or number != number // 1:
        raise MalformedInputError(f"'{path}' is {shown(value)}; it must be a whole number.")
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise MalformedInputError(f"'{path}' is {shown(value)}; it must be a whole number of {bits} bits.")
    return int(number)


def _time(value: Any, path: str) -> datetime.datetime:
    if isinstance(value, datetime.datetime):
        return value if value.tzinfo else value.replace(tzinfo=datetime.UTC)
    try:
        if isinstance(value, str) and not value.replace(".", "", 1).lstrip("-").isdigit():
            parsed = datetime.datetime.fromisoformat(value)
            return parsed if parsed.tzinfo else parsed.replace(tzinfo=datetime.UTC)
        return datetime.datetime.fromtimestamp(float(value), tz=datetime.UTC)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise MalformedInputError(f"'{path}' is {shown(value)}; it must be a time.") from error


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
    raise MalformedInputError(f"'{path}' is {shown(value)}; it must be a {_KINDS[kind]}.")


def _camel(name: str) -> str:
    return name[:1].lower() + name[1:]
