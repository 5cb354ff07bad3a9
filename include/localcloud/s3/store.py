"""Objects on disk, with S3's semantics: whole-object writes, conditions, read-after-write, sorted listings."""

import asyncio
import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from include.localcloud.clock import Clock
from include.localcloud.s3.condition import WriteCondition
from include.localcloud.s3.error import S3Error
from include.localcloud.s3.index import Index, Stored
from include.localcloud.s3.uploads import Uploads

_INLINE_BYTES = 64 * 1024  # larger bodies get a file of their own
_BUCKET_NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]")
_PAGE = 1000
_ALWAYS = WriteCondition()


NO_SUCH_KEY = ("NoSuchKey", "The specified key does not exist.", 404)
_REFUSALS = {
    "PreconditionFailed": ("At least one of the pre-conditions you specified did not hold", 412),
    "NoSuchKey": NO_SUCH_KEY[1:],
    "NotImplemented": ("A header you provided implies functionality that is not implemented", 400),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One page of a listing."""

    objects: tuple[Stored, ...]
    prefixes: tuple[str, ...]
    next_start: str | None  # where the next page begins; None on the last page


class ObjectStore:
    """Every bucket and object of the local cloud.

    A write is prepared (hashed, its file written, in a thread when large) and then committed in one step
    without awaiting in between, so writers to one key are serialised and readers see whole objects only.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._bodies = folder / "bodies"
        self._bodies.mkdir(parents=True, exist_ok=True)
        self._index = Index(folder / "index.sqlite")
        self._clock = clock
        self.uploads = Uploads(self, self._index, self._bodies, clock)
        needed = set(self._index.files())
        for file in self._bodies.iterdir():  # bodies whose commit a kill prevented
            if file.name not in needed:
                file.unlink()

    def close(self) -> None:
        """Release the state folder."""
        self._index.close()

    # buckets

    def create_bucket(self, name: str, region: str) -> None:
        """Create the bucket; raise InvalidBucketName, or BucketAlreadyOwnedByYou outside us-east-1."""
        if not _BUCKET_NAME.fullmatch(name) or ".." in name:
            raise S3Error("InvalidBucketName", "The specified bucket is not valid.", 400)
        if self._index.bucket(name) is not None and region != "us-east-1":
            text = "Your previous request to create the named bucket succeeded and you already own it."
            raise S3Error("BucketAlreadyOwnedByYou", text, 409)
        self._index.add_bucket(name, self._clock.now(), region)

    def delete_bucket(self, name: str) -> None:
        """Delete the bucket; raise BucketNotEmpty while it holds objects."""
        self.region(name)
        if self._index.keys_from(name, b"", limit=1):
            raise S3Error("BucketNotEmpty", "The bucket you tried to delete is not empty", 409)
        for upload in self._index.uploads(name):
            self.uploads.abort(name, upload.key, upload.id)
        self._index.remove_bucket(name)

    def buckets(self) -> list[tuple[str, float, str]]:
        """Return every bucket's (name, created, region) by name."""
        return self._index.buckets()

    def region(self, bucket: str) -> str:
        """Return the bucket's region; raise NoSuchBucket."""
        found = self._index.bucket(bucket)
        if found is None:
            raise S3Error("NoSuchBucket", "The specified bucket does not exist", 404)
        return found[2]

    # objects

    async def put(
        self,
        bucket: str,
        key: str,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        condition: WriteCondition = _ALWAYS,
    ) -> Stored:
        """Store the body under the key if the condition holds at the moment of the commit; return what is stored."""
        self.region(bucket)
        if len(key.encode()) > 1024:
            raise S3Error("KeyTooLongError", "Your key is too long", 400)
        etag, file = await self.prepare(body)
        stored = Stored(
            key=key,
            etag=etag,
            size=len(body),
            modified=self._clock.now(),
            headers=headers or {},
            body=body if file is None else None,
            file=file,
        )
        self.commit(bucket, stored, condition)
        return stored

    def head(self, bucket: str, key: str) -> Stored:
        """Return the object's facts; raise NoSuchBucket or NoSuchKey."""
        self.region(bucket)
        stored = self._index.object(bucket, key)
        if stored is None:
            raise S3Error(*NO_SUCH_KEY)
        return stored

    async def body(self, stored: Stored, start: int = 0, length: int | None = None) -> bytes:
        """Return `length` bytes of the object from `start`."""
        end = stored.size if length is None else start + length
        if stored.file is None:
            return (stored.body or b"")[start:end]
        # opened here and now, so that an overwrite between the index and the read cannot take it away
        opened = (self._bodies / stored.file).open("rb")
        return await asyncio.to_thread(_read, opened, start, end - start)

    async def get(self, bucket: str, key: str) -> bytes:
        """Return the whole object; raise NoSuchBucket or NoSuchKey."""
        return await self.body(self.head(bucket, key))

    def delete(self, bucket: str, key: str, condition: WriteCondition = _ALWAYS) -> None:
        """Delete the object; a key that does not exist is no error unless the condition says so."""
        self.region(bucket)
        stored = self._index.object(bucket, key)
        self.check(condition, None if stored is None else stored.etag)
        if stored is not None:
            self._index.remove(bucket, key)
            self.discard(stored.file)

    def listing(
        self,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str = "",
        start: str = "",
        after: str = "",
        limit: int = 1000,
    ) -> Listing:
        """Return objects and common prefixes in UTF-8 byte order, from `start` on or beyond `after`.

        A common prefix counts as one entry against `limit` (bytes and order as ListObjectsV2 documents them).
        """
        self.region(bucket)
        cursor = max(prefix.encode(), start.encode(), after.encode() + b"\x00" if after else b"")
        objects: list[Stored] = []
        prefixes: list[str] = []
        while True:
            page = self._index.keys_from(bucket, cursor, limit=_PAGE)
            for stored in page:
                if cursor > stored.key.encode():
                    continue  # beneath a common prefix that was just counted
                if not stored.key.startswith(prefix):
                    return Listing(objects=tuple(objects), prefixes=tuple(prefixes), next_start=None)
                common = _common_prefix(stored.key, prefix, delimiter)
                if common is not None and after.startswith(common):
                    cursor = _beyond(common)
                    continue
                if len(objects) + len(prefixes) >= limit:
                    return Listing(objects=tuple(objects), prefixes=tuple(prefixes), next_start=stored.key)
                if common is None:
                    objects.append(stored)
                    cursor = stored.key.encode() + b"\x00"
                else:
                    prefixes.append(common)
                    cursor = _beyond(common)
            if len(page) < _PAGE:
                return Listing(objects=tuple(objects), prefixes=tuple(prefixes), next_start=None)

    # the two halves of a write

    async def prepare(self, body: bytes, *, always_file: bool = False) -> tuple[str, str | None]:
        """Return the body's md5 and, if it is large, the file that holds it now; nothing refers to it yet."""
        if len(body) <= _INLINE_BYTES and not always_file:
            return hashlib.md5(body, usedforsecurity=False).hexdigest(), None
        name = uuid.uuid4().hex
        return await asyncio.to_thread(_write, self._bodies / name, body), name

    def commit(self, bucket: str, stored: Stored, condition: WriteCondition) -> None:
        """Make the prepared object the key's, if the condition holds now; its file goes if it does not."""
        try:
            self.region(bucket)  # it may have gone while the body was written
            replaced = self._index.object(bucket, stored.key)
            self.check(condition, None if replaced is None else replaced.etag)
        except S3Error:
            self.discard(stored.file)
            raise
        self._index.put(bucket, stored)
        if replaced is not None:
            self.discard(replaced.file)

    @staticmethod
    def check(condition: WriteCondition, current_etag: str | None) -> None:
        """Raise the S3Error with which the condition refuses a write over this entity tag."""
        refusal = condition.refusal(current_etag)
        if refusal is not None:
            raise S3Error(refusal, *_REFUSALS[refusal])

    def discard(self, file: str | None) -> None:
        """Remove a body file that nothing refers to."""
        if file is not None:
            (self._bodies / file).unlink(missing_ok=True)


def _write(file: Path, body: bytes) -> str:
    file.write_bytes(body)
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def _read(opened: BinaryIO, start: int, length: int) -> bytes:
    with opened:
        opened.seek(start)
        return opened.read(length)


def _common_prefix(key: str, prefix: str, delimiter: str) -> str | None:
    if not delimiter:
        return None
    end = key.find(delimiter, len(prefix))
    return None if end < 0 else key[: end + len(delimiter)]


def _beyond(prefix: str) -> bytes:
    """Return the smallest bytes that sort after every key with this prefix (UTF-8 never holds 0xFF)."""
    return prefix.encode() + b"\xff"
