"""Lines of a file, found in chunks of it without a copy of any line and without ever holding a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LONGEST = 4 * 6_291_456
"""Bytes of a line: request and answer of InvokeEndpoint's largest size, both in base64, with room for the rest."""
UNREADABLE = b"?"
"""Stands for a line that is no text or too long; it is no record either."""

_STRIDE = 1 << 18  # bytes looked at in one go: what numpy writes on the way stays in the processor's cache

Bytes = NDArray[np.uint8]
Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Whole lines that lie one after the other in `body`; `ends` are the positions of their ends, `controls` of other
    characters below the space."""

    body: Bytes
    ends: Positions
    controls: Positions

    @property
    def starts(self) -> Positions:
        """Return the positions of the lines' first bytes."""
        starts = np.empty_like(self.ends)
        starts[:1] = 0
        starts[1:] = self.ends[:-1] + 1
        return starts

    def __getitem__(self, row: int) -> bytes:
        """Return one line without its end."""
        return self.body[self.ends[row - 1] + 1 if row else 0 : self.ends[row]].tobytes()


def lines(chunks: Iterable[bytes | memoryview]) -> Iterator[Lines]:
    """Yield the lines of one file, given in chunks: of each chunk those that lie in it, and alone the one that ends in it.

    Memory is bounded by LONGEST: a longer line becomes UNREADABLE.
    """
    rest = b""  # of a line whose end was not seen yet
    skipping = False  # inside a line that was too long
    for chunk in chunks:
        whole = np.frombuffer(chunk, dtype=np.uint8)
        low = positions(whole, lambda part: part < ord(" "))
        is_end = whole[low] == ord("\n")
        ends, controls = (low, low[:0]) if is_end.all() else (low[is_end], low[~is_end])
        if not ends.size:
            rest = b"" if skipping else rest + bytes(chunk)
            if len(rest) > LONGEST:
                rest, skipping = b"", True
            continue
        begin, end = 0, int(ends[-1]) + 1
        if skipping or rest:
            begin = int(ends[0]) + 1
            yield _alone(UNREADABLE if skipping else rest + bytes(chunk[: begin - 1]))
            ends, skipping = ends[1:], False
        if ends.size:
            inside = controls[(controls >= begin) & (controls < end)] if controls.size else controls
            yield Lines(body=whole[begin:end], ends=ends - begin, controls=inside - begin)
        rest = bytes(chunk[end:])
    if skipping or rest:
        yield _alone(UNREADABLE if skipping else rest)


def positions(body: Bytes, condition: Callable[[Bytes], NDArray[np.bool_]]) -> Positions:
    """Return where a condition holds, a stretch of the bytes after the other."""
    found = []
    for start in range(0, body.size, _STRIDE):
        here = np.flatnonzero(condition(body[start : start + _STRIDE]))
        here += start
        found.append(here)
    return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


def survey(body: Bytes, counted: int, sought: int) -> tuple[int, int, bool]:
    """Return the greatest byte (0 of none), how many bytes are `counted`, and whether any is `sought`."""
    greatest, n, found = 0, 0, False
    for start in range(0, body.size, _STRIDE):
        part = body[start : start + _STRIDE]
        greatest = max(greatest, int(part.max()))
        n += int(np.count_nonzero(part == counted))
        found = found or bool((part == sought).any())
    return greatest, n, found


def text(line: bytes) -> str:
    """Return a line as text, UNREADABLE if it is none."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return UNREADABLE.decode()


def _alone(line: bytes) -> Lines:
    body = np.frombuffer(line + b"\n", dtype=np.uint8)
    return Lines(body=body, ends=np.array([len(line)]), controls=np.flatnonzero(body[:-1] < ord(" ")))
