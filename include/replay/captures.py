"""SageMaker's data captures as requests: production's own traffic, byte for byte and in order."""

from __future__ import annotations

import binascii
import heapq
import json
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from include.replay.reading import Place, lines
from include.replay.request import Request
from include.replay.source import LONGEST_BODY, Report, name_of
from include.rollout.errors import ReplayError
from include.rollout.names import inference_id_prefix

_LONGEST_LINE = 4 * LONGEST_BODY  # request and answer, both in base64, with room for the rest
_HOUR = re.compile(r"^(?:(.*)/)?(\d{4})/(\d\d)/(\d\d)/(\d\d)/[^/]+\.jsonl(?:\.gz)?$")
_SLACK = 3600.0  # seconds: a capture may be filed under the hour next to its own
_DEFAULT_TYPES = {"CSV": "text/csv", "JSON": "application/json", "BASE64": "application/octet-stream"}


@dataclass(frozen=True, kw_only=True)
class Captures:
    """The inputs of one variant's captures, in the order in which they were first seen.

    `where` is `<capture destination>/<endpoint>/<variant>`, below which SageMaker files
    `yyyy/mm/dd/hh/<file>.jsonl` by the UTC hour of inference. Requests of earlier replays of ours are
    left out, known by the prefix of their InferenceId. Captures of several instances lie in several
    files: records are put in order within a buffer of `reorder` records or `reorder_bytes` of bodies,
    whichever fills first; what comes later than that is sent as it comes and counted as late.
    """

    where: Place
    since: float | None = None  # epoch seconds, included
    until: float | None = None  # epoch seconds, excluded
    reorder: int = 20_000
    reorder_bytes: int = 64 * 1024 * 1024
    report: Report = field(default_factory=Report)

    def __iter__(self) -> Iterator[Request]:
        """Yield what can be sent again; raise ReplayError where there is nothing, or too much is bad."""
        report = Report(limit=1.0) if self.report.complete else self.report
        waiting: list[tuple[float, int, Request]] = []
        held, released = 0, float("-inf")
        for order, request in enumerate(self._requests(report)):
            assert request.recorded is not None
            heapq.heappush(waiting, (request.recorded, order, request))
            held += len(request.body)
            while len(waiting) > self.reorder or held > self.reorder_bytes:
                recorded, _, first = heapq.heappop(waiting)
                held -= len(first.body)
                report.late += recorded < released
                released = max(released, recorded)
                yield first
        while waiting:
            recorded, _, first = heapq.heappop(waiting)
            report.late += recorded < released
            released = max(released, recorded)
            yield first
        report.end(name_of(self.where))

    def _requests(self, report: Report) -> Iterator[Request]:
        own = inference_id_prefix()
        for file, number, line in lines(self.where, _LONGEST_LINE, wanted=self.wanted()):
            if not line.strip():
                continue
            try:
                request = captured(line)
            except ValueError as error:
                report.reject(file, number, str(error))
                continue
            recorded = request.recorded or 0.0
            if request.origin.startswith(own):
                report.own += 1
            elif (self.since is not None and recorded < self.since) or (
                self.until is not None and recorded >= self.until
            ):
                report.outside += 1
            else:
                report.read += 1
                yield request

    def wanted(self) -> Wanted:
        """Return what says which files may hold records of the time range."""
        return Wanted(self.since, self.until, name_of(self.where))


class Wanted:
    """Says which files of a capture tree can hold records of a time range; refuses two variants at once."""

    def __init__(self, since: float | None, until: float | None, name: str) -> None:
        self._since, self._until, self._name = since, until, name
        self._variant: str | None = None

    def __call__(self, path: str) -> bool:
        """Say whether the file may hold wanted records; raise ReplayError at a second variant's file."""
        found = _HOUR.match(path)
        if found is None:
            return path in {"", "."} or ("/" not in path and path.endswith((".jsonl", ".jsonl.gz")))
        variant = found[1] or ""
        if self._variant is not None and variant != self._variant:
            msg = (
                f"{self._name} holds the captures of {self._variant!r} and {variant!r}; name the folder of "
                f"one variant, or every request of theirs would be sent twice"
            )
            raise ReplayError(msg)
        self._variant = variant
        try:
            hour = datetime(*map(int, found.groups()[1:]), tzinfo=UTC).timestamp()  # type: ignore[arg-type, misc]
        except ValueError:
            return False
        return not (
            (self._since is not None and hour + 3600 + _SLACK <= self._since)
            or (self._until is not None and hour - _SLACK >= self._until)
        )


def captured(line: bytes) -> Request:
    """Return the request that a capture record holds; raise ValueError with the reason it holds none.

    The format is SageMaker's capture schema, version 0; `origin` is the InferenceId, empty where
    the caller sent none.
    """
    try:
        record = json.loads(line)
    except ValueError as error:
        msg = f"the record is not JSON (cut off?): {error}"
        raise ValueError(msg) from error
    given = _field(record, "captureData", "endpointInput")
    recorded = _moment(_field(record, "eventMetadata", "inferenceTime"))
    data, encoding = given.get("data"), given.get("encoding")
    if not isinstance(data, str) or encoding not in _DEFAULT_TYPES:
        msg = f"the input has the encoding {str(encoding)[:20]!r}; it must be one of {sorted(_DEFAULT_TYPES)}, with text as data"
        raise ValueError(msg)
    content_type = given.get("observedContentType") or _DEFAULT_TYPES[encoding]
    if not isinstance(content_type, str) or not content_type.isascii() or not content_type.isprintable():
        msg = "the input's content type is not printable ASCII"
        raise ValueError(msg)
    try:
        body = b64decode(data, validate=True) if encoding == "BASE64" else data.encode()
    except (binascii.Error, UnicodeEncodeError) as error:
        msg = f"the input cannot be decoded: {error}"
        raise ValueError(msg) from error
    if len(body) > LONGEST_BODY:
        msg = f"the input is longer than the {LONGEST_BODY} bytes of a body"
        raise ValueError(msg)
    name = record["eventMetadata"].get("inferenceId")
    return Request(
        body=body,
        content_type=content_type,
        recorded=recorded,
        origin=name if isinstance(name, str) else "",
    )


def _field(record: Any, outer: str, inner: str) -> Any:
    part = record.get(outer) if isinstance(record, dict) else None
    value = part.get(inner) if isinstance(part, dict) else None
    if value is None or (outer == "captureData" and not isinstance(value, dict)):
        msg = f"the record has no {outer}.{inner}"
        raise ValueError(msg)
    return value


def _moment(text: Any) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        msg = "eventMetadata.inferenceTime is no time"
        raise ValueError(msg) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
