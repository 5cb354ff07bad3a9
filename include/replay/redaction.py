"""Redaction: columns and JSON fields are dropped, masked or hashed before anything is sent or stored."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from include.replay.request import Request
from include.replay.source import Report

_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_-]*)|\['([^']*)'\]|\[(\d+|\*)\]")
_HASH_DIGITS = 16  # hexadecimal: 64 bits, enough to tell values apart and to join on


class Action(StrEnum):
    """What becomes of a redacted value."""

    DROP = "drop"  # the column or the field is gone
    MASK = "mask"  # it is empty: nothing between the commas, null in JSON
    HASH = "hash"  # 16 hexadecimal digits of HMAC-SHA256: equal values stay equal


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One redaction: of a CSV column by its number from 0, or of a JSON path.

    Paths have the form `$.customer.name`, `$['odd name']`, `$.items[0].card`, `$.items[*].card`.
    """

    action: Action
    where: int | str

    def __post_init__(self) -> None:
        if isinstance(self.where, int):
            if self.where < 0:
                msg = f"the column {self.where} is to be redacted; columns are numbered from 0"
                raise ValueError(msg)
        else:
            self.steps()

    def steps(self) -> tuple[str | int | None, ...]:
        """Return the path's steps: a field's name, an item's number, or None for every item."""
        path = str(self.where)
        steps: list[str | int | None] = []
        at = 1
        while at < len(path):
            found = _STEP.match(path, at)
            if found is None:
                break
            name, quoted, number = found.groups()
            steps.append(name if name is not None else quoted if quoted is not None else _item(number))
            at = found.end()
        if not path.startswith("$") or at != len(path) or not steps:
            msg = (
                f"{path!r} is no path that can be redacted; write it like $.customer.name or $.items[*].card"
            )
            raise ValueError(msg)
        return tuple(steps)


@dataclass(frozen=True, kw_only=True)
class Redaction:
    """Rules that are applied together; what no rule names stays byte for byte in CSV.

    In JSON the document is written anew: fields keep their order and values, numbers may be written
    in another form. `key` keeps anybody without it from finding a hashed value by trying them all.
    """

    rules: tuple[Rule, ...]
    key: bytes = field(repr=False, default=b"")

    def __post_init__(self) -> None:
        if any(rule.action is Action.HASH for rule in self.rules) and len(self.key) < 16:
            msg = f"hashing is asked for with a key of {len(self.key)} bytes; it must have at least 16"
            raise ValueError(msg)

    def body(self, body: bytes, content_type: str) -> bytes:
        """Return the redacted body; raise ValueError, without the content, if a rule cannot be applied.

        A body that cannot be read as what it says it is is never passed on unredacted.
        """
        if not self.rules:
            return body
        kind = content_type.partition(";")[0].strip().lower()
        wanted: type = int if kind == "text/csv" else str
        if not any(isinstance(rule.where, wanted) for rule in self.rules):
            msg = f"no rule says what to redact in a body of type {kind!r}; name columns for CSV, paths for JSON"
            raise ValueError(msg)
        if kind == "text/csv":
            return b"\n".join(self._row(row) for row in body.split(b"\n"))
        if kind == "application/jsonlines":
            return b"\n".join(self._document(row) for row in body.split(b"\n"))
        if kind == "application/json" or kind.endswith("+json"):
            return self._document(body)
        msg = f"a body of type {kind!r} cannot be redacted; only CSV and JSON can"
        raise ValueError(msg)

    def _hashed(self, value: bytes) -> str:
        return hmac.digest(self.key, value, "sha256").hex()[:_HASH_DIGITS]

    def _row(self, row: bytes) -> bytes:
        if not row.strip():
            return row
        fields: list[bytes | None] = list(_fields(row))
        for rule in self.rules:
            if not isinstance(rule.where, int):
                continue
            if rule.where >= len(fields):
                msg = f"the row has {len(fields)} columns, and column {rule.where} is to be redacted"
                raise ValueError(msg)
            value = fields[rule.where]
            if value is None or rule.action is Action.DROP:
                fields[rule.where] = None
            elif rule.action is Action.MASK:
                fields[rule.where] = b""
            else:
                fields[rule.where] = self._hashed(value).encode()
        return b",".join(value for value in fields if value is not None)

    def _document(self, body: bytes) -> bytes:
        if not body.strip():
            return body
        try:
            document = json.loads(body)
        except ValueError:
            msg = "the body is not JSON, so nothing in it can be redacted"
            raise ValueError(msg) from None
        for rule in self.rules:
            if isinstance(rule.where, str):
                _visit(document, rule.steps(), lambda parent, key, rule=rule: self._apply(parent, key, rule))  # type: ignore[misc]
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()

    def _apply(self, parent: Any, key: Any, rule: Rule) -> None:
        if rule.action is Action.DROP:
            del parent[key]
        elif rule.action is Action.MASK:
            parent[key] = None
        else:
            value = json.dumps(parent[key], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
            parent[key] = self._hashed(value.encode())


@dataclass(frozen=True, kw_only=True)
class Redacted:
    """Requests redacted as they are read; one that cannot be is bad, counted in `report`, and not sent.

    `content_type` is that of requests that name none.
    """

    requests: Iterable[Request]
    redaction: Redaction
    content_type: str
    report: Report

    def __iter__(self) -> Iterator[Request]:
        """Yield what could be redacted; raise ReplayError where too much could not."""
        first = not self.report.complete  # only the first reading is reported on
        for request in self.requests:
            try:
                body = self.redaction.body(request.body, request.content_type or self.content_type)
            except ValueError as error:
                if first:
                    self.report.read -= 1  # it was counted as good when it was read
                    self.report.reject(request.origin or "a request", 1, str(error))
            else:
                yield replace(request, body=body)


def _item(number: str) -> int | None:
    return None if number == "*" else int(number)


def _fields(row: bytes) -> Iterator[bytes]:
    """Cut a row at the commas that stand outside quotes, leaving every byte as it is."""
    if b'"' not in row:
        yield from row.split(b",")
        return
    start, quoted = 0, False
    for at, byte in enumerate(row):
        if byte == 0x22:
            quoted = not quoted
        elif byte == 0x2C and not quoted:
            yield row[start:at]
            start = at + 1
    if quoted:
        msg = "a quoted field does not end on its line, so its columns cannot be told"
        raise ValueError(msg)
    yield row[start:]


def _visit(node: Any, steps: tuple[str | int | None, ...], apply: Callable[[Any, Any], None]) -> None:
    """Apply to every place that the steps lead to; where they lead nowhere there is nothing to hide."""
    step, rest = steps[0], steps[1:]
    if isinstance(node, dict) and isinstance(step, str):
        keys: list[Any] = [step] if step in node else []
    elif isinstance(node, list) and not isinstance(step, str):
        keys = [*range(len(node) - 1, -1, -1)] if step is None else [step] if step < len(node) else []
    else:
        return
    for key in keys:
        if rest:
            _visit(node[key], rest, apply)
        else:
            apply(node, key)
