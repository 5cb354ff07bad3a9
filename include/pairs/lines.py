"""Lines of files as columns of Arrow, without a copy of any line and without ever holding a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

COLUMN = "line"
SCHEMA = pa.schema([(COLUMN, pa.utf8())])
LONGEST = 4 * 6_291_456
"""Bytes of a line: request and answer of InvokeEndpoint's largest size, both in base64, with room for the rest."""

_END = ord("\n")
_UNREADABLE = b"?"  # stands for a line that is no text or too long; it is no record either


def batches(chunks: Iterable[bytes | memoryview]) -> Iterator[pa.RecordBatch]:
    """Yield the lines of one file, given in chunks, with their ends; what is no UTF-8 becomes "?".

    Memory is bounded by LONGEST: a longer line becomes "?" too.
    """
    rest = b""  # of a line whose end was not seen yet
    skipping = False  # inside a line that was too long
    for chunk in chunks:
        view = memoryview(chunk)
        ends = np.flatnonzero(np.frombuffer(view, dtype=np.uint8) == _END)
        if not ends.size:
            rest = b"" if skipping else rest + bytes(view)
            if len(rest) > LONGEST:
                rest, skipping = b"", True
            continue
        if skipping:
            view, ends = view[ends[0] :], ends - ends[0]
            rest, skipping = _UNREADABLE, False
        cut = int(ends[-1]) + 1
        yield _batch(b"".join((rest, view[:cut])), ends + len(rest))
        rest = bytes(view[cut:])
    if skipping or rest:
        rest = _UNREADABLE if skipping else rest
        yield _batch(rest + b"\n", np.array([len(rest)]))


def _batch(body: bytes, ends: NDArray[np.int64]) -> pa.RecordBatch:
    """Return the lines in `body`, which end at `ends`; the buffer is shared, not copied."""
    offsets = np.zeros(ends.size + 1, dtype=np.int32)
    offsets[1:] = ends + 1
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(body)]
    array = pa.Array.from_buffers(pa.utf8(), ends.size, buffers)
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        array = pa.array([_text(line) for line in body.split(b"\n")[:-1]], type=pa.utf8())
    return pa.RecordBatch.from_arrays([array], schema=SCHEMA)


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return _UNREADABLE.decode()
