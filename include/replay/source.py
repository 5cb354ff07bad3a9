"""Rows and files as requests, with every bad record counted and named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count, islice

from include.replay.reading import Objects, Place, files, lines, unpacked
from include.replay.request import Request
from include.rollout.errors import ReplayError

LONGEST_BODY = 6_291_456
"""Bytes that InvokeEndpoint takes (botocore's sagemaker-runtime model, 2017-05-13, BodyBlob)."""

_EXAMPLES = 20
_JUDGED_AFTER = 200  # records; a share of fewer says little


@dataclass(kw_only=True)
class Report:
    """What a source has read: how many records, which were bad, which were left out and why.

    Only the first reading of a source counts: sending its rows ten times makes no bad row ten.
    """

    limit: float = 0.01  # share of bad records above which reading on is pointless
    read: int = 0  # good ones and bad ones
    bad: int = 0
    examples: list[str] = field(default_factory=list)  # the first bad ones: file, line and reason
    own: int = 0  # recorded from an earlier replay of ours, left out
    outside: int = 0  # outside the time range, left out
    late: int = 0  # out of order by more than could be put right; sent as soon as they are read
    complete: bool = False  # the first reading is over

    def reject(self, where: str, line: int, reason: str) -> None:
        """Count a record that cannot be sent; raise ReplayError once too many of them are bad."""
        self.read += 1
        self.bad += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(f"{where}:{line}: {reason}")
        if self.read >= _JUDGED_AFTER:
            self._judge()

    def end(self, name: str) -> None:
        """End the first reading; raise ReplayError if too large a share was bad, or nothing good."""
        self.complete = True
        if self.bad:
            self._judge()
        if self.read == self.bad:
            left_out = f" ({self.own} of our own and {self.outside} outside the time range left out)"
            msg = f"{name} has no record that can be sent{left_out if self.own or self.outside else ''}; a replay needs one"
            raise ReplayError(msg)

    def _judge(self) -> None:
        if self.bad > self.limit * self.read:
            msg = (
                f"{self.bad} of {self.read} records are bad and at most {self.limit:.2%} may be; mend the "
                f"source or raise the limit (first: {self.examples[0]})"
            )
            raise ReplayError(msg)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """One request for each line, byte for byte, without its line end; empty lines are no rows.

    gzip is recognised by its first bytes. Memory does not grow with the source.
    """

    where: Place
    content_type: str  # decides what a good row is: text/csv or a JSON type
    header: bool = False  # the first line of each file names columns
    report: Report = field(default_factory=Report)

    def __iter__(self) -> Iterator[Request]:
        """Yield the good rows; raise ReplayError where there are none or too many are bad."""
        report = Report(limit=1.0) if self.report.complete else self.report
        check = problem(self.content_type)
        name, width = "", -1
        for file, number, row in lines(self.where, LONGEST_BODY):
            if file != name:
                name, width = file, -1
            if not row or (number == 1 and self.header):
                continue
            reason, width = check(row, width)
            if reason:
                report.reject(file, number, reason)
            else:
                report.read += 1
                yield Request(body=row, content_type=self.content_type, origin=f"{file}:{number}")
        report.end(name_of(self.where))


@dataclass(frozen=True, kw_only=True)
class Files:
    """One request for each file, byte for byte (unpacked if it is gzip): images, tensors, documents."""

    where: Place
    content_type: str
    report: Report = field(default_factory=Report)

    def __iter__(self) -> Iterator[Request]:
        """Yield the files in the order of their names; an empty or too large one is bad."""
        report = Report(limit=1.0) if self.report.complete else self.report
        for file in files(self.where):
            parts, size = [], 0
            for chunk in unpacked(file.chunks()):
                parts.append(chunk)
                size += len(chunk)
                if size > LONGEST_BODY:
                    break
            if size == 0 or size > LONGEST_BODY:
                reason = f"longer than the {LONGEST_BODY} bytes of a body" if size else "empty"
                report.reject(file.name, 1, f"the file is {reason}")
            else:
                report.read += 1
                yield Request(body=b"".join(parts), content_type=self.content_type, origin=file.name)
        report.end(name_of(self.where))


def repeated(requests: Iterable[Request], times: int) -> Iterator[Request]:
    """Yield every request `times` times in a row."""
    if times < 1:
        msg = f"every row was to be repeated {times} times; it must be at least once"
        raise ValueError(msg)
    for request in requests:
        for _ in range(times):
            yield request


def cycled(requests: Iterable[Request], passes: int | None = None) -> Iterator[Request]:
    """Yield all requests so many times, or again and again; an iterator can be read only once."""
    for _ in count() if passes is None else range(passes):
        empty = True
        for request in requests:
            empty = False
            yield request
        if empty:
            return


def share(requests: Iterable[Request], shard: int, shards: int) -> Iterator[Request]:
    """Yield every `shards`-th request beginning with the `shard`-th: all shards together yield each once."""
    if not 0 <= shard < shards:
        msg = f"shard {shard} of {shards} was asked for; shards are numbered from 0"
        raise ValueError(msg)
    return islice(iter(requests), shard, None, shards)


def name_of(place: Place) -> str:
    """Call the place by a name that a person knows."""
    if isinstance(place, bytes):
        return "the source"
    return f"{place.name}/{place.prefix}" if isinstance(place, Objects) else str(place)


def problem(content_type: str) -> Callable[[bytes, int], tuple[str, int]]:
    """Return the check that rows of this content type pass: (row, columns so far) → (reason, columns)."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/csv":
        return _csv_problem
    if kind in {"application/json", "application/jsonlines"} or kind.endswith("+json"):
        return _json_problem
    return _size_problem


def _size_problem(row: bytes, width: int) -> tuple[str, int]:
    if len(row) > LONGEST_BODY:
        return f"the row is longer than the {LONGEST_BODY} bytes of a body", width
    return "", width


def _csv_problem(row: bytes, width: int) -> tuple[str, int]:
    if len(row) > LONGEST_BODY:
        return _size_problem(row, width)
    if b"\0" in row:
        return "the row has a NUL byte", width
    if b'"' in row:
        if row.count(b'"') % 2:
            return "a quoted field does not end on its line", width
        return "", width  # commas inside quotes: the model's own parser decides
    found = row.count(b",") + 1
    if width not in {-1, found}:
        return f"the row has {found} columns where the first has {width}", width
    return "", found


def _json_problem(row: bytes, width: int) -> tuple[str, int]:
    if len(row) > LONGEST_BODY:
        return _size_problem(row, width)
    try:
        json.loads(row)
    except ValueError as error:
        return f"the row is not JSON: {error}", width
    return "", width
