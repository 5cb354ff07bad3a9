"""Where the captures of one variant lie, and which of its files can hold records of a window."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from include.ledger.bucket import bucket_store
from include.ledger.store import StoreAccess
from include.rollout.errors import EvidenceError

if TYPE_CHECKING:
    from obstore import ObjectMeta

_PIECE = 2 << 20  # bytes read at a time
_AHEAD = 2  # pieces read before they are asked for
_TIMEOUT = timedelta(seconds=60)  # of one request: captures are large
_NEIGHBOUR = timedelta(hours=1)  # a capture may be filed under the hour next to its own


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of captures."""

    key: str
    size: int  # bytes


@dataclass(frozen=True, kw_only=True)
class Folder:
    """One variant's captures: `<prefix>/yyyy/mm/dd/hh/<file>.jsonl`, by the UTC hour of inference.

    SageMaker's layout is `<capture destination>/<endpoint>/<variant>/…`; a shadow variant has a tree of its own.
    """

    store: ObjectStore
    prefix: str = ""
    name: str = ""  # how messages call the place: s3://bucket

    @classmethod
    def of(cls, destination: str, endpoint: str, variant: str, access: StoreAccess) -> Folder:
        """Return the folder of a variant below a capture destination (s3://bucket/prefix, with or without a slash)."""
        bucket, _, prefix = destination.removeprefix("s3://").partition("/")
        path = "/".join(part for part in (prefix.strip("/"), endpoint, variant) if part)
        return cls(store=bucket_store(bucket, access, timeout=_TIMEOUT), prefix=path, name=f"s3://{bucket}")

    def __str__(self) -> str:
        return f"{self.name or 'the store'}/{self.prefix}"

    def files(self, begin: datetime, end: datetime) -> list[File]:
        """List the files of the hours within an hour of [begin, end), sorted by name.

        A file last written well before `begin` is left out: it cannot hold what was answered later. Raises
        EvidenceError where the folder cannot be listed; an hour without captures is empty.
        """
        first = (begin - _NEIGHBOUR).replace(minute=0, second=0, microsecond=0)
        hours = math.ceil((end + _NEIGHBOUR - first) / timedelta(hours=1))
        found = []
        for hour in (first + timedelta(hours=i) for i in range(hours)):
            found += [
                File(key=entry["path"], size=entry["size"])
                for entry in self._listed(f"{hour.astimezone(UTC):%Y/%m/%d/%H}")
                if entry["path"].endswith(".jsonl") and entry["last_modified"] > begin - _NEIGHBOUR
            ]
        return sorted(found, key=lambda file: file.key)

    def read(self, files: Sequence[File]) -> Iterator[Iterator[memoryview]]:
        """Yield each file's bytes in pieces of some megabytes, a few of which are read ahead.

        The pieces of a file must be taken before the next file is asked for. Raises EvidenceError where one cannot be
        read.
        """
        pieces = ((file.key, start) for file in files for start in range(0, file.size, _PIECE))
        sizes = {file.key: file.size for file in files}
        with ThreadPoolExecutor(max_workers=_AHEAD, thread_name_prefix="captures") as readers:

            def begun() -> Iterator[Future[memoryview]]:
                for key, start in pieces:
                    yield readers.submit(self._piece, key, start, min(_PIECE, sizes[key] - start))

            more = begun()
            waiting = deque(islice(more, _AHEAD))
            for file in files:
                count = math.ceil(file.size / _PIECE)
                yield (_next(waiting, more) for _ in range(count))

    def _piece(self, key: str, start: int, length: int) -> memoryview:
        try:
            return memoryview(obstore.get_range(self.store, key, start=start, length=length))
        except (BaseError, OSError) as error:
            raise EvidenceError(
                f"{self.name or 'the store'}/{key} cannot be read ({_first_line(error)}); check s3:GetObject."
            ) from error

    def _listed(self, hour: str) -> list[ObjectMeta]:
        where = f"{self.prefix}/{hour}" if self.prefix else hour
        try:
            return [entry for batch in obstore.list(self.store, prefix=where) for entry in batch]
        except FileNotFoundError as error:
            if "NoSuchBucket" not in str(error):
                return []
            raise EvidenceError(
                f"{self} cannot be listed: the bucket does not exist; correct capture.destination."
            ) from None
        except (BaseError, OSError) as error:
            raise EvidenceError(
                f"{self} cannot be listed ({_first_line(error)}); check capture.destination and s3:ListBucket."
            ) from error


def _next(waiting: deque[Future[memoryview]], more: Iterator[Future[memoryview]]) -> memoryview:
    piece = waiting.popleft().result()
    waiting.extend(islice(more, 1))
    return piece


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].strip()
