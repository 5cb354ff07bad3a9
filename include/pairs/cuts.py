"""Equal lengths of bytes, cut out at many places at once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from include.pairs.lines import Bytes, Positions


def cut(body: Bytes, starts: Positions, length: int) -> NDArray[Any]:
    """Return `length` bytes from each start; all must lie in the body."""
    if not starts.size:
        return np.empty(0, dtype=f"V{length}")
    return np.ndarray((body.size - length + 1,), f"V{length}", buffer=body.data, strides=(1,))[starts]


def same(found: NDArray[Any], text: bytes) -> NDArray[np.bool_]:
    """Say which of the cuts are `text`."""
    # as one run of bytes: rows of their own would be compared one by one
    equal = found.view(np.uint8) == _repeated(text, _doubled(found.size))[: found.size * len(text)]
    return np.ones(found.size, dtype=np.bool_) if equal.all() else equal.reshape(-1, len(text)).all(axis=1)


def _doubled(n: int) -> int:
    """Return the power of two that is at least n: hardly two chunks have the same number of lines."""
    return 1 << max(0, n - 1).bit_length()


@lru_cache(maxsize=16)
def _repeated(text: bytes, times: int) -> Bytes:
    return np.tile(np.frombuffer(text, dtype=np.uint8), times)
