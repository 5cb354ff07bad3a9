"""Capture records as columns of Arrow: the fields of lines that were read by position, and whole lines of all others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from include.pairs.cells import cells
from include.pairs.cuts import cut
from include.pairs.layout import (
    EVENT,
    ID,
    INPUT,
    INPUT_ENCODING,
    KIND,
    OUTPUT,
    OUTPUT_ENCODING,
    TIME,
    Found,
    Layout,
    Marks,
)
from include.pairs.lines import Bytes, Positions, lines, text

LINE, ESCAPED = "line", "escaped"
BASE64 = "BASE64"  # an encoding
TEXTS = (INPUT, OUTPUT, EVENT, ID)
_CONSTANTS = (KIND, INPUT_ENCODING, OUTPUT_ENCODING)
_CONSTANT = pa.dictionary(pa.int8(), pa.utf8())
_FIELDS = [
    (LINE, pa.utf8()),  # of a record that is to be parsed: all else is NULL then
    *((name, pa.string_view()) for name in TEXTS),
    *((name, _CONSTANT) for name in _CONSTANTS),
    (ESCAPED, pa.bool_()),  # the texts hold quotes, with a backslash before each
    (TIME, pa.float64()),
]


def cell(column: int) -> str:
    """Return the name of the field that holds a column's cell of an input's first row, NULL where it was not looked up."""
    return f"cell_{column}"


_MOST = 8  # layouts kept; more would be tried in vain on lines that no layout fits
_TRIES = 3  # lines of a chunk that a layout is sought in
_KEPT = 1 << 20  # bytes of lines to be parsed, gathered from several chunks
_INLINE = 12  # bytes of a text that stand in its view, filled up with zeros
_MASKS = np.array([[255] * n + [0] * (_INLINE - n) for n in range(_INLINE + 1)], dtype=np.uint8)


class Records:
    """Reads files of records; what was learned of one file's layout serves the next.

    Of inputs that are CSV, the cells of `columns` (from 0) are looked up as well, where that can be done by position.
    """

    def __init__(self, columns: Iterable[int] = ()) -> None:
        self.columns = tuple(sorted(set(columns)))
        self.schema = pa.schema(_FIELDS + [(cell(column), pa.string_view()) for column in self.columns])
        self._layouts: list[Layout] = []
        self.placed = 0  # records read by position
        self.parsed = 0  # and those that were left to be parsed

    def batches(self, files: Iterable[Iterable[bytes | memoryview]]) -> Iterator[pa.RecordBatch]:
        """Yield the records of files, each given in chunks, in any order; empty lines are none."""
        kept: list[bytes] = []
        size = 0
        for chunks in files:
            for some in lines(chunks):
                left = np.ones(some.ends.size, dtype=np.bool_)
                if left.size > 1:
                    marks = Marks(some)
                    for layout, found in self._found(marks):
                        left[found.rows] = False
                        self.placed += found.rows.size
                        yield self._placed(marks, layout, found)
                others = [
                    line for row in np.flatnonzero(left).tolist() if (line := some[row]) not in (b"", b"\r")
                ]
                kept += others
                size += sum(map(len, others))
                if size > _KEPT:
                    yield self._left(kept)
                    kept, size = [], 0
        if kept:
            yield self._left(kept)

    def _found(self, marks: Marks) -> Iterator[tuple[Layout, Found]]:
        """Yield what fits the layouts known, and those learned from lines that fit none of them."""
        rows = np.flatnonzero(marks.readable)
        tries = _TRIES
        known = iter(self._layouts)  # sees those that are added as well
        while rows.size:
            layout = next(known, None)
            if layout is None:
                if not tries or len(self._layouts) == _MOST:
                    return
                tries -= 1
                learned = Layout.of(marks.lines[rows[0]])
                if learned is None:
                    rows = rows[1:]
                else:
                    self._layouts.append(learned)
                    known = iter([learned])
                continue
            found = layout.find(marks, rows)
            if found.rows.size:
                yield layout, found
                rows = rows[~np.isin(rows, found.rows)] if found.rows.size < rows.size else rows[:0]

    def _left(self, kept: list[bytes]) -> pa.RecordBatch:
        self.parsed += len(kept)
        return self._batch({LINE: _texts([text(line).encode() for line in kept])}, len(kept))

    def _placed(self, marks: Marks, layout: Layout, found: Found) -> pa.RecordBatch:
        n, body = found.rows.size, marks.lines.body
        escaping = marks.escaping[found.rows]
        columns = {
            ESCAPED: _plain(pa.bool_(), _bits(escaping), n),
            TIME: _plain(pa.float64(), found.times, n),
        }
        for name, (starts, ends) in found.fields.items():
            columns[name] = _slices(body, starts, ends)
        for name, value in layout.constants.items():
            zeros = pa.py_buffer(bytes(n))
            columns[name] = pa.DictionaryArray.from_buffers(_CONSTANT, n, [None, zeros], _word(value))
        if INPUT in found.fields and layout.constants.get(INPUT_ENCODING) != BASE64 and not escaping.any():
            for column in self.columns:
                columns[cell(column)] = _slices(body, *cells(body, *found.fields[INPUT], column))
        return self._batch(columns, n)

    def _batch(self, columns: dict[str, pa.Array], n: int) -> pa.RecordBatch:
        arrays = [columns[f.name] if f.name in columns else pa.nulls(n, f.type) for f in self.schema]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def _slices(
    body: Bytes, starts: Positions, ends: Positions, valid: NDArray[np.bool_] | None = None
) -> pa.Array:
    """Return parts of the body as texts that lie there, NULL where they are not valid."""
    buffers = [
        None if valid is None else pa.py_buffer(_bits(valid)),
        pa.py_buffer(_views(body, starts, ends)),
        pa.py_buffer(body),
    ]
    return pa.Array.from_buffers(pa.string_view(), starts.size, buffers)


def _bits(values: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.packbits(values, bitorder="little")


def _plain(type: pa.DataType, values: NDArray[Any], n: int) -> pa.Array:
    """Return an array whose values are those of numpy, as they are; pa.array would import pandas first."""
    return pa.Array.from_buffers(type, n, [None, pa.py_buffer(values)])


@cache
def _word(value: str) -> pa.Array:
    return _texts([value.encode()])


def _texts(values: list[bytes]) -> pa.Array:
    offsets = np.zeros(len(values) + 1, dtype=np.int32)
    np.cumsum([len(value) for value in values], out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(values))]
    return pa.Array.from_buffers(pa.utf8(), len(values), buffers)


def _views(body: Bytes, starts: Positions, ends: Positions) -> NDArray[np.int32]:
    """Return texts as Arrow's views, 16 bytes each: length, then the text, or its first four bytes, buffer and offset."""
    lengths = ends - starts
    views = np.zeros((starts.size, 4), dtype=np.int32)
    views[:, 0] = lengths
    far = lengths > _INLINE
    if far.all():
        views[:, 1], views[:, 3] = cut(body, starts, 4).view(np.int32), starts
        return views
    views[far, 1], views[far, 3] = cut(body, starts[far], 4).view(np.int32), starts[far]
    near = np.flatnonzero(~far & (starts + _INLINE <= body.size))
    found = cut(body, starts[near], _INLINE).view(np.uint8).reshape(-1, _INLINE)
    views[near, 1:] = (found & _MASKS[lengths[near]]).view(np.int32)
    for row in np.flatnonzero(~far & (starts + _INLINE > body.size)):
        views[row, 1:] = np.frombuffer(
            body[starts[row] : ends[row]].tobytes().ljust(_INLINE, b"\0"), dtype=np.int32
        )
    return views
