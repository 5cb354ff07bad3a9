"""What a service model demands of a value (enum, length, range, pattern), in the sentences that AWS answers with."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from botocore.model import Shape

from include.localcloud.pattern import compiled

_NUMBERS = {"integer", "long", "double", "float"}
_MAX_SHOWN_CHARACTERS = 200
_PLAIN = {"string", "character", "blob", *_NUMBERS}  # of these no member has a path of its own


def is_plain(shape: Shape) -> bool:
    """Tell whether a value of the shape is told with the list or map that it is in."""
    return shape.type_name in _PLAIN


def broken(value: Any, shape: Shape) -> list[str]:
    """Return the constraints of the shape that the value does not satisfy."""
    return [text for text, holds in _constraints(shape) if not holds(value)]


def any_broken(values: Iterable[Any], shape: Shape) -> bool:
    """Tell whether one of the values does not satisfy the shape's constraints."""
    constraints = tuple(_constraints(shape))
    return bool(constraints) and any(not holds(value) for value in values for _, holds in constraints)


def demanded(shape: Shape) -> str:
    """Return all constraints of the shape, as AWS lists them for the members of a list or map."""
    return f"[{', '.join(text for text, _ in _constraints(shape))}]"


def fault(value: Any, shape: Shape, path: str, constraint: str) -> str:
    """Return AWS's sentence about one broken constraint; a sensitive value is not repeated."""
    if value is None:
        said = "Value null"
    else:
        said = "Value" if shape.metadata.get("sensitive") else f"Value '{shown(value)}'"
    return f"{said} at '{path}' failed to satisfy constraint: {constraint}"


def detected(faults: Sequence[str]) -> str:
    """Return AWS's message about these broken constraints."""
    return (
        f"{len(faults)} validation {'error' if len(faults) == 1 else 'errors'} detected: {'; '.join(faults)}"
    )


def shown(value: Any) -> str:
    """Return the value as Java prints it, cut where it is long."""
    text = _printed(value)
    return text if len(text) <= _MAX_SHOWN_CHARACTERS else f"{text[:_MAX_SHOWN_CHARACTERS]}…"


def _printed(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(_printed(item) for item in value)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}={_printed(item)}' for key, item in value.items())}}}"
    return "null" if value is None else str(value)


def _constraints(shape: Shape) -> Iterator[tuple[str, Callable[[Any], bool]]]:
    metadata = shape.metadata
    measured: Callable[[Any], Any] = len
    noun = "length"
    if shape.type_name in _NUMBERS:
        measured, noun = float, "value"
    if allowed := metadata.get("enum"):
        yield f"Member must satisfy enum value set: [{', '.join(allowed)}]", lambda value: value in allowed
    if (most := metadata.get("max")) is not None:
        yield f"Member must have {noun} less than or equal to {most}", lambda value: measured(value) <= most
    if (least := metadata.get("min")) is not None:
        yield (
            f"Member must have {noun} greater than or equal to {least}",
            lambda value: measured(value) >= least,
        )
    if (pattern := metadata.get("pattern")) is not None and shape.type_name == "string":
        said = f"Member must satisfy regular expression pattern: {pattern}"
        yield said, lambda value: compiled(pattern).fullmatch(value) is not None
