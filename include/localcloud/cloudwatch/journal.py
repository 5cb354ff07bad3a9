"""Metrics on disk: an append-only log of what was put, in segments, the oldest of which go when there are too many."""

import logging
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import cbor2
import numpy as np

from include.localcloud.cloudwatch.metric import Key
from include.localcloud.cloudwatch.samples import Samples, Summary

_log = logging.getLogger(__name__)
_HEAD = struct.Struct("<II")  # bytes that follow, and their CRC-32
LARGEST_SEGMENT = 16 << 20  # bytes
MOST_SEGMENTS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One put: the same samples for each of the metrics."""

    keys: tuple[Key, ...]
    start: int  # of the period, epoch seconds
    unit: str
    samples: Samples
    visible_from: float = 0.0  # epoch seconds: the end of the period, for what is kept before it is over


class Journal:
    """Each entry is with the operating system before `append` returns, so that a SIGKILL loses none.

    What a crash of the machine left half written ends its segment; entries before it are read. At most
    `most_segments` segments of `largest_segment` bytes are kept.
    """

    def __init__(
        self,
        folder: Path,
        *,
        largest_segment: int = LARGEST_SEGMENT,
        most_segments: int = MOST_SEGMENTS,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._largest, self._most = largest_segment, most_segments
        self._segments = sorted(folder.glob("*.log"))
        self._file: BinaryIO | None = None
        self._size = 0

    def entries(self) -> Iterator[Entry]:
        """Yield what was appended, oldest first."""
        for segment in self._segments:
            data = segment.read_bytes()
            at = 0
            while (entry := _read(data, at)) is not None:
                at, content = entry
                yield content
            if at < len(data):
                _log.warning("%s ends with %d bytes that are no entry", segment, len(data) - at)

    def append(self, entry: Entry) -> None:
        """Add one entry; when the disk refuses, say so in the log and go on without."""
        content = _packed(entry)
        try:
            file = self._room(len(content))
            file.write(_HEAD.pack(len(content), zlib.crc32(content)) + content)
        except OSError as error:
            _log.warning("a metric is not kept over a restart: %s", error)

    def close(self) -> None:
        """Append nothing more."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _room(self, size: int) -> BinaryIO:
        """Return the segment to write `size` bytes to: a new one after a start and when the last is full."""
        if self._file is None or self._size + size > self._largest:
            self.close()
            number = int(self._segments[-1].stem) + 1 if self._segments else 0
            segment = self._folder / f"{number:010d}.log"
            self._file = segment.open("ab", buffering=0)
            self._size = 0
            self._segments.append(segment)
            while len(self._segments) > self._most:
                self._segments.pop(0).unlink(missing_ok=True)
        self._size += size + _HEAD.size
        return self._file


def _packed(entry: Entry) -> bytes:
    samples = entry.samples
    plain = bool((samples.counts == 1.0).all())  # most are: every latency is its own
    return cbor2.dumps(
        [
            [[key.namespace, key.name, key.dimensions] for key in entry.keys],
            entry.start,
            entry.unit,
            samples.values.astype("<f8").tobytes(),
            b"" if plain else samples.counts.astype("<f8").tobytes(),
            [[each.count, each.total, each.low, each.high] for each in samples.summaries],
            entry.visible_from,
        ]
    )


def _read(data: bytes, at: int) -> tuple[int, Entry] | None:
    """Return where the entry at `at` ends, and the entry; None where there is no whole one."""
    if at + _HEAD.size > len(data):
        return None
    size, checksum = _HEAD.unpack_from(data, at)
    content = data[at + _HEAD.size : at + _HEAD.size + size]
    if len(content) != size or zlib.crc32(content) != checksum:
        return None
    keys, start, unit, packed, counts, summaries, visible_from = cbor2.loads(content)
    values = np.frombuffer(packed, dtype="<f8").astype(np.float64)
    samples = Samples(
        values,
        np.frombuffer(counts, dtype="<f8").astype(np.float64) if counts else np.ones(len(values)),
        tuple(Summary(count=count, total=total, low=low, high=high) for count, total, low, high in summaries),
    )
    entry = Entry(
        keys=tuple(
            Key(namespace, name, tuple((its_name, value) for its_name, value in dimensions))
            for namespace, name, dimensions in keys
        ),
        start=start,
        unit=unit,
        samples=samples,
        visible_from=visible_from,
    )
    return at + _HEAD.size + size, entry
