"""Cells of rows of CSV, found by position in many texts at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from include.pairs.cuts import cut
from include.pairs.lines import Bytes, Positions

_COMMA = ord(",")
_MARGIN = 16  # bytes looked at beyond the place where the first text's cell ends


def cells(
    body: Bytes, starts: Positions, ends: Positions, column: int
) -> tuple[Positions, Positions, NDArray[np.bool_]]:
    """Return where the cell of a column (from 0) begins and ends in each text, and in which of them it was found.

    The texts are rows of CSV with neither quotes nor line ends. Only their beginnings are looked at, about as far as the
    first text's cell: a cell that is farther off, or that no comma ends, is not found. Cells not found are empty.
    """
    begins, stops = np.zeros_like(starts), np.zeros_like(starts)
    found = np.zeros(starts.size, dtype=np.bool_)
    commas = np.flatnonzero(body[starts[0] : ends[0]] == _COMMA) if starts.size else starts
    if commas.size <= column:
        return begins, stops, found
    width = int(commas[column]) * 5 // 4 + _MARGIN
    if starts[-1] + width > body.size or starts.size * width > body.size:
        return begins, stops, found
    commas = np.flatnonzero(cut(body, starts, width).view(np.uint8) == _COMMA)
    counts = np.bincount(commas // width, minlength=starts.size)
    rows = np.flatnonzero(counts > column)
    closing = (np.cumsum(counts) - counts)[rows] + column  # the number of the comma after each cell
    offsets = starts[rows] - rows * width  # from a place in the cuts to one in the body
    after = commas[closing] + offsets
    before = commas[closing - 1] + offsets + 1 if column else starts[rows]
    inside = after < ends[rows]
    rows = rows[inside]
    begins[rows], stops[rows], found[rows] = before[inside], after[inside], True
    return begins, stops, found
