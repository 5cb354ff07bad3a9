"""Bytes of sources, wherever they lie: streamed, unpacked and cut into lines in flat memory."""

from __future__ import annotations

import queue
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from include.rollout.errors import ReplayError

_T = TypeVar("_T")
_CHUNK = 1 << 17  # bytes read at a time
_AHEAD = 16  # chunks read before they are asked for
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, kw_only=True)
class Objects:
    """Every object under a prefix of a bucket, or of any other store of obstore's."""

    store: ObjectStore
    prefix: str = ""
    name: str = ""  # how messages call the place: s3://bucket


Place = Path | Objects | bytes
"""A file, a folder with all below it, objects under a prefix, or the bytes themselves."""


@dataclass(frozen=True, kw_only=True)
class File:
    """One file of a place; `chunks` reads it from the beginning, not yet unpacked."""

    name: str
    chunks: Callable[[], Iterator[bytes]]


def files(place: Place, *, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[File]:
    """Yield the files whose path (relative to the place) is wanted, in the order of their names.

    Raises ReplayError where the place cannot be read.
    """
    if isinstance(place, bytes):
        yield File(name="<bytes>", chunks=lambda: iter((place,)))
    elif isinstance(place, Path):
        if not place.exists():
            msg = f"{place} does not exist; name a file or a folder that can be read"
            raise ReplayError(msg)
        inside = sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]
        for path in inside:
            if wanted(path.relative_to(place).as_posix()):
                yield File(name=str(path), chunks=lambda path=path: _of_file(path))  # type: ignore[misc]
    else:
        base = place.prefix.strip("/")
        keys = sorted(_keys(place, base))
        for key in keys:
            if wanted(key.removeprefix(base).lstrip("/")):
                name = f"{place.name}/{key}" if place.name else key
                yield File(name=name, chunks=lambda key=key, name=name: _of_object(place.store, key, name))  # type: ignore[misc]


def unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the content of a gzip file (of any number of members), or the chunks as they are.

    What follows the break of a damaged gzip file is not readable: raises ReplayError there.
    """
    iterator = iter(chunks)
    first = next(iterator, b"")
    while len(first) < len(_GZIP) and (more := next(iterator, None)) is not None:
        first += more
    if not first.startswith(_GZIP):
        if first:
            yield first
        yield from iterator
        return
    member, data = zlib.decompressobj(wbits=31), first
    try:
        while True:
            while data:
                out = member.decompress(data, _CHUNK)
                if out:
                    yield out
                data = member.unused_data if member.eof else member.unconsumed_tail
                if member.eof:
                    member = zlib.decompressobj(wbits=31)
                    data = data.lstrip(b"\0")  # padding between members is allowed
            following = next(iterator, None)
            if following is None:
                return
            data = following
    except zlib.error as error:
        msg = f"a gzip file is damaged ({error}); pack it anew or leave it out"
        raise ReplayError(msg) from error


def lines(
    place: Place, longest: int, *, wanted: Callable[[str], bool] = lambda _: True
) -> Iterator[tuple[str, int, bytes]]:
    """Yield (file, line number, line without its end), unpacked, read ahead by a thread.

    Of a line longer than `longest` bytes just enough is given to show that it is too long.
    """
    return cut(ahead(_pieces(place, wanted)), longest)


def cut(pieces: Iterable[tuple[str, bytes | None]], longest: int) -> Iterator[tuple[str, int, bytes]]:
    """Yield the lines of (file, chunk) pieces; a chunk that is None begins a file."""
    number, rest, name = 1, b"", ""
    for name_now, chunk in pieces:
        if chunk is None:  # a new file begins
            if rest:
                yield name, number, rest
            number, rest, name = 1, b"", name_now
            continue
        *whole, tail = chunk.split(b"\n")
        if whole:
            whole[0] = rest + whole[0]
            rest = tail
            for number, line in enumerate(whole, number):  # noqa: B020 - counts on across chunks
                yield name, number, line[:-1] if line.endswith(b"\r") else line
            number += 1
        else:
            rest += tail
        if len(rest) > longest:
            rest = rest[: longest + 1]
    if rest:
        yield name, number, rest


def _pieces(place: Place, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes | None]]:
    for file in files(place, wanted=wanted):
        yield file.name, None
        for chunk in unpacked(file.chunks()):
            yield file.name, chunk


def ahead(items: Iterable[_T]) -> Iterator[_T]:
    """Yield the same items, taken by a thread a few at a time before they are asked for.

    Reading from S3 or a disk then never stops the one who sends; an error of the reader is raised
    here in its place. Closing the iterator ends the thread.
    """
    ready: queue.Queue[tuple[_T] | BaseException | None] = queue.Queue(_AHEAD)
    left = threading.Event()

    def put(item: tuple[_T] | BaseException | None) -> bool:
        while not left.is_set():
            try:
                ready.put(item, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def read() -> None:
        try:
            for item in items:
                if not put((item,)):
                    return
            put(None)
        except BaseException as error:
            put(error)

    threading.Thread(target=read, name="replay-source", daemon=True).start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item[0]
    finally:
        left.set()


def _of_file(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror}); name a readable file or folder"
        raise ReplayError(msg) from error


def _keys(place: Objects, base: str) -> Iterator[str]:
    try:
        for batch in obstore.list(place.store, prefix=base or None):
            for entry in batch:
                yield entry["path"]
        if base:  # a prefix of obstore's is a folder; ours may also be one object
            try:
                yield obstore.head(place.store, base)["path"]
            except FileNotFoundError:
                return
    except (BaseError, OSError) as error:
        msg = f"{place.name or 'the store'}/{base} cannot be listed ({_first_line(error)}); check name and permission"
        raise ReplayError(msg) from error


def _of_object(store: ObjectStore, key: str, name: str) -> Iterator[bytes]:
    try:
        for chunk in obstore.get(store, key).stream(min_chunk_size=_CHUNK):
            yield bytes(chunk)
    except (BaseError, OSError) as error:
        msg = f"{name} cannot be read ({_first_line(error)}); check name and permission"
        raise ReplayError(msg) from error


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].strip()
