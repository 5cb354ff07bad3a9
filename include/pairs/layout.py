"""Records read by position: machines write their lines alike, so one line tells where the fields of the others are.

A layout is learned from one line, which is parsed as JSON; all that is not a field that varies is its frame. A line is
read by position only if its frame is the same to the byte and its fields hold nothing that JSON would read otherwise;
every other line is left to be parsed. So what is read by position is exactly what a parser would have read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from include.pairs.cuts import cut, same
from include.pairs.lines import Bytes, Lines, Positions, positions, survey

INPUT, OUTPUT, EVENT, ID, TIME = "input", "output", "event", "id", "t"
VARYING = {
    ("captureData", "endpointInput", "data"): INPUT,
    ("captureData", "endpointOutput", "data"): OUTPUT,
    ("eventMetadata", "eventId"): EVENT,
    ("eventMetadata", "inferenceId"): ID,
    ("eventMetadata", "inferenceTime"): TIME,
}
KIND, INPUT_ENCODING, OUTPUT_ENCODING = "kind", "input_encoding", "output_encoding"
CONSTANT = {
    ("captureData", "endpointInput", "observedContentType"): KIND,
    ("captureData", "endpointInput", "encoding"): INPUT_ENCODING,
    ("captureData", "endpointOutput", "encoding"): OUTPUT_ENCODING,
}

_TOKEN = re.compile(rb'"(?:[^"\\\x00-\x1f]|\\.)*"|[{}\[\]:]')
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_QUOTE, _BACKSLASH = ord('"'), ord("\\")
_START = -1  # the bound before a line
_NEAR = 64  # bytes that a field is guessed to have at most: an InferenceId has no more
_HOUR = len("2026-03-01T12:")  # what lines of a file have in common: its folder is an hour
_MINUTES = len("34:56")  # and what they have not; the Z after it belongs to the frame again
_LONGEST_FRAME = 8192  # bytes; a frame is some hundreds, unless something unknown is in it


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A piece of the frame: `text` begins `lead` bytes after one bound, and the next bound is `gap` bytes after it.

    A bound is a quote's number in its line, _START the byte before the line and None its end. A piece that holds the time
    has a hole: its minutes and seconds, `hole` bytes after the begin of `text`.
    """

    after: int
    until: int | None
    lead: int
    gap: int
    text: bytes
    hole: int | None = None


_Bounds = dict[int | None, Positions]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where the fields of the lines `rows` are: field -> first position, position after its last."""

    rows: Positions
    fields: Mapping[str, tuple[Positions, Positions]]
    times: NDArray[np.float64]  # seconds of the epoch


class Marks:
    """What can be said of lines before any layout is tried: which of them can be read by position, and their quotes."""

    def __init__(self, lines: Lines) -> None:
        self.lines, self.starts = lines, lines.starts
        body, ends = lines.body, lines.ends
        self.readable = np.ones(ends.size, dtype=np.bool_)
        self.escaping = np.zeros(ends.size, dtype=np.bool_)  # their only escapes are of quotes
        if lines.controls.size:
            self._leave(lines.controls)
        greatest, self.total, self.is_escaping = survey(body, _QUOTE, _BACKSLASH)  # quotes of all lines
        if greatest >= 0x80 and not _is_text(body):
            self._leave(positions(body, lambda part: part >= 0x80))
        if self.is_escaping:
            self._unescape()

    @cached_property
    def quotes(self) -> Positions:
        """Return where the quotes are that delimit texts."""
        return positions(self.lines.body, lambda part: part == _QUOTE)

    def _unescape(self) -> None:
        body, quotes = self.lines.body, self.quotes
        escaped = body[quotes - 1] == _BACKSLASH
        many = self._counts(positions(body, lambda part: part == _BACKSLASH))
        # as many as there are quotes behind one: then every backslash stands before a quote
        self.readable &= many == self._counts(quotes[escaped])
        self.escaping = many > 0
        self.quotes = quotes[~escaped]

    @cached_property
    def first(self) -> Positions:
        """Return the number of each line's first quote, and one more for the end."""
        lines, quotes, ends = self.starts.size, self.quotes, self.lines.ends
        each, odd = divmod(quotes.size, lines)
        if (
            each
            and not odd
            and (quotes[::each] > self.starts).all()
            and (quotes[each - 1 :: each] < ends).all()
        ):
            return np.arange(0, quotes.size + 1, each)
        return np.append(np.searchsorted(quotes, self.starts), quotes.size)

    @cached_property
    def counts(self) -> Positions:
        """Return how many quotes each line has."""
        return np.diff(self.first)

    def bound(self, rows: Positions, number: int | None) -> Positions:
        """Return the positions of the quotes of this number; of the bytes before and after the line for _START and None."""
        if number is None:
            return self.lines.ends[rows]
        return self.starts[rows] - 1 if number == _START else self.quotes[self.first[rows] + number]

    def _counts(self, places: Positions) -> Positions:
        return np.diff(np.searchsorted(places, self.lines.ends), prepend=0)

    def _leave(self, places: Positions) -> None:
        self.readable[np.searchsorted(self.lines.ends, places)] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The frame of a line, and which of its quotes open a field."""

    quotes: int
    pieces: tuple[_Piece, ...]
    opening: Mapping[str, int]  # field -> number of the quote before it
    constants: Mapping[str, str]
    hour: float  # of the times, in seconds of the epoch

    @classmethod
    def of(cls, line: bytes) -> Layout | None:
        """Learn from a line; None if it is no record of SageMaker's whose fields are texts and whose time is whole."""
        try:
            document = json.loads(
                line.decode(),
                object_pairs_hook=_unique,
                parse_constant=_refuse,
                parse_int=_refuse,
                parse_float=_refuse,
            )
        except (ValueError, RecursionError):
            return None
        for path in (*VARYING, *CONSTANT):
            if not isinstance(_at(document, path), str | None):
                return None
        time = _at(document, ("eventMetadata", "inferenceTime"))
        if not time or not _TIME.fullmatch(time):
            return None
        try:
            hour = datetime.fromisoformat(time).replace(minute=0, second=0).timestamp()
        except ValueError:
            return None
        return cls._framed(line, document, hour)

    @classmethod
    def _framed(cls, line: bytes, document: Any, epoch: float) -> Layout | None:
        tokens = list(_TOKEN.finditer(line))
        path: list[str | None] = []
        number, after, begin, lead = 0, _START, 0, 1  # of the piece that is open
        hole: int | None = None
        pieces, opening = [], {}
        for token, following in zip(tokens, [*tokens[1:], None], strict=True):
            match token.group()[:1]:
                case b"{" | b"[":
                    path.append(None)
                case b"}" | b"]":
                    path.pop()
                case b'"':
                    field = None
                    if following is not None and following.group() == b":":
                        path[-1] = json.loads(token.group())
                    else:
                        field = VARYING.get(tuple(path))  # type: ignore[arg-type]
                    if field == TIME:
                        hole = token.start() + 1 + _HOUR - begin
                    elif field is not None:
                        start, end = token.start(), token.end() - 1
                        gap, text = start - begin + lead, line[begin : start + 1]
                        pieces.append(
                            _Piece(after=after, until=number, lead=lead, gap=gap, text=text, hole=hole)
                        )
                        opening[field] = number
                        after, begin, lead, hole = number + 1, end, 0, None
                    number += 2
        gap = len(line) - begin + lead
        pieces.append(_Piece(after=after, until=None, lead=lead, gap=gap, text=line[begin:], hole=hole))
        frame = b"".join(piece.text for piece in pieces)
        if b"\\" in frame or len(frame) > _LONGEST_FRAME:
            return None
        return cls(
            quotes=number,
            pieces=tuple(pieces),
            opening=opening,
            constants={
                name: value for path, name in CONSTANT.items() if (value := _at(document, path)) is not None
            },
            hour=epoch,
        )

    def find(self, marks: Marks, rows: Positions) -> Found:
        """Return those of the lines that are laid out like this, and where their fields are.

        Where the quotes are is guessed first, which takes a fraction of the time of looking for all of them. If the frames
        of all lines then are where they should be and have as many quotes as there are, the guess is right.
        """
        body = marks.lines.body
        if (
            rows.size == marks.starts.size
            and marks.total == rows.size * self.quotes
            and not marks.is_escaping
        ):
            guess = self._guess(marks)
            if guess is not None and (found := self._checked(body, rows, guess)).rows.size == rows.size:
                return found
        rows = rows[marks.counts[rows] == self.quotes]
        numbers = {number for piece in self.pieces for number in (piece.after, piece.until)}
        bounds = {number: marks.bound(rows, number) for number in numbers}
        for piece in self.pieces:
            rows, bounds = _kept(bounds[piece.until] - bounds[piece.after] == piece.gap, rows, bounds)
        return self._checked(body, rows, bounds)

    def _guess(self, marks: Marks) -> _Bounds | None:
        """Return where the bounds are if all fields but the first are short, found from the end of the line backwards."""
        rows = np.arange(marks.starts.size)
        bounds: _Bounds = {number: marks.bound(rows, number) for number in (_START, None)}
        for piece in reversed(self.pieces):
            if piece.after == _START:
                bounds[piece.until] = bounds[_START] + piece.gap
                # in rising order, or else there are places before the first
                return bounds if (bounds[piece.until] < bounds[(piece.until or 0) + 1]).all() else None
            if piece.until not in bounds and piece.until is not None:
                opening = _opening(marks.lines.body, bounds[piece.until + 1])
                if opening is None:
                    return None
                bounds[piece.until] = opening
            bounds[piece.after] = bounds[piece.until] - piece.gap
        return None

    def _checked(self, body: Bytes, rows: Positions, bounds: _Bounds) -> Found:
        """Return the lines whose bounds are as far apart as they should be and that have the frame between them."""
        for piece in self.pieces:
            if piece.hole is None:
                fits = same(cut(body, bounds[piece.after] + piece.lead, len(piece.text)), piece.text)
                rows, bounds = _kept(fits, rows, bounds)
        (timed,) = (piece for piece in self.pieces if piece.hole is not None)
        text, hole = timed.text, slice(timed.hole, (timed.hole or 0) + _MINUTES)
        found = cut(body, bounds[timed.after] + timed.lead, len(text))
        within = found.view(np.uint8).reshape(-1, len(text))[:, hole]
        digits = within.T.astype(np.int16) - ord("0")
        within[:] = np.frombuffer(text[hole], dtype=np.uint8)
        minute, second = digits[0] * 10 + digits[1], digits[3] * 10 + digits[4]
        right = (digits[[0, 1, 3, 4]] >= 0).all(axis=0) & (digits[[1, 4]] <= 9).all(axis=0)
        right &= (digits[[0, 3]] <= 5).all(axis=0) & (digits[2] == ord(":") - ord("0"))
        right &= same(found, text)
        if not right.all():
            minute, second = minute[right], second[right]
            rows, bounds = _kept(right, rows, bounds)
        return Found(
            rows=rows,
            fields={
                field: (bounds[number] + 1, bounds[number + 1]) for field, number in self.opening.items()
            },
            times=self.hour + minute * 60.0 + second,
        )


def _kept(which: NDArray[np.bool_], rows: Positions, bounds: _Bounds) -> tuple[Positions, _Bounds]:
    if which.all():
        return rows, bounds
    return rows[which], {number: bound[which] for number, bound in bounds.items()}


def _opening(body: Bytes, closing: Positions) -> Positions | None:
    """Return where the quotes seem to be that open the texts closed at `closing`; None if these are too long."""
    begin = closing - _NEAR
    if begin[0] < 0 or begin.min() < 0:
        return None
    length = _NEAR - body[begin[0] : closing[0]].tobytes().rfind(b'"')  # of the first: ids are often alike
    if length > _NEAR or (body[closing - length] == _QUOTE).all():
        return None if length > _NEAR else closing - length
    near = cut(body, begin, _NEAR).view(np.uint8).reshape(-1, _NEAR) == _QUOTE
    back: Positions = near[:, ::-1].argmax(axis=1)
    return closing - 1 - back


def _is_text(body: Bytes) -> bool:
    try:
        str(body.data, "utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _at(document: Any, path: tuple[str, ...]) -> Any:
    """Return the value at a path, None if there is none; a null is no text: it is told apart by False."""
    for step in path:
        if not isinstance(document, dict):
            return False
        if step not in document:
            return None
        document = document[step]
    return False if document is None else document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a field twice")
    return found


def _refuse(name: str) -> Any:
    raise ValueError(name)
