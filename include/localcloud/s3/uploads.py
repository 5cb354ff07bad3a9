"""Multipart uploads: parts kept apart until they become one object."""

import asyncio
import hashlib
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from include.localcloud.clock import Clock
from include.localcloud.s3.condition import WriteCondition
from include.localcloud.s3.error import S3Error
from include.localcloud.s3.index import Index, Part, Stored, Upload

_MIN_PART_BYTES = 5 * 1024 * 1024  # of every part but the last
_NO_SUCH_UPLOAD = (
    "NoSuchUpload",
    "The specified multipart upload does not exist. The upload ID might be invalid, "
    "or the multipart upload might have been aborted or completed.",
    404,
)
_ALWAYS = WriteCondition()


class Writer(Protocol):
    """The store's halves of a write."""

    def region(self, bucket: str) -> str: ...
    async def prepare(self, body: bytes, *, always_file: bool = False) -> tuple[str, str | None]: ...
    def check(self, condition: WriteCondition, current_etag: str | None) -> None: ...
    def commit(self, bucket: str, stored: Stored, condition: WriteCondition) -> None: ...
    def discard(self, file: str | None) -> None: ...


class Uploads:
    """The unfinished uploads of one store."""

    def __init__(self, store: Writer, index: Index, bodies: Path, clock: Clock) -> None:
        self._store = store
        self._index = index
        self._bodies = bodies
        self._clock = clock

    def start(self, bucket: str, key: str, headers: Mapping[str, str]) -> str:
        """Begin a multipart upload and return its id."""
        self._store.region(bucket)
        upload = Upload(
            id=uuid.uuid4().hex, bucket=bucket, key=key, started=self._clock.now(), headers=headers
        )
        self._index.add_upload(upload)
        return upload.id

    async def put_part(self, bucket: str, key: str, upload_id: str, number: int, body: bytes) -> Part:
        """Store one part (1 ≤ number ≤ 10000), replacing an earlier one of its number."""
        self.get(bucket, key, upload_id)
        if not 1 <= number <= 10_000:
            text = "Part number must be an integer between 1 and 10000, inclusive"
            raise S3Error("InvalidArgument", text, 400)
        etag, file = await self._store.prepare(body, always_file=True)
        assert file is not None
        part = Part(number=number, etag=etag, size=len(body), modified=self._clock.now(), file=file)
        try:
            self.get(bucket, key, upload_id)  # it may have ended while the part was written
        except S3Error:
            self._store.discard(file)
            raise
        earlier = [known.file for known in self._index.parts(upload_id) if known.number == number]
        self._index.add_part(upload_id, part)
        for name in earlier:
            self._store.discard(name)
        return part

    async def complete(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        chosen: Sequence[tuple[int, str]],
        condition: WriteCondition = _ALWAYS,
    ) -> Stored:
        """Join the chosen (number, etag) parts into the object; its entity tag is the md5 of the parts' md5s."""
        upload = self.get(bucket, key, upload_id)
        known = {part.number: part for part in self._index.parts(upload_id)}
        numbers = [number for number, _ in chosen]
        if not chosen or numbers != sorted(set(numbers)):
            text = "The list of parts was not in ascending order. Parts must be ordered by part number."
            raise S3Error("InvalidPartOrder", text, 400)
        parts = []
        for number, etag in chosen:
            part = known.get(number)
            if part is None or part.etag != etag.strip('"'):
                text = (
                    "One or more of the specified parts could not be found. The part may not have been "
                    "uploaded, or the specified entity tag may not match the part's entity tag."
                )
                raise S3Error("InvalidPart", text, 400)
            parts.append(part)
        if any(part.size < _MIN_PART_BYTES for part in parts[:-1]):
            text = "Your proposed upload is smaller than the minimum allowed size"
            raise S3Error("EntityTooSmall", text, 400)
        self._store.check(condition, self._index.etag(bucket, key))
        name = uuid.uuid4().hex
        try:
            await asyncio.to_thread(_join, [self._bodies / part.file for part in parts], self._bodies / name)
        except FileNotFoundError as error:  # aborted meanwhile
            self._store.discard(name)
            raise S3Error(*_NO_SUCH_UPLOAD) from error
        digest = hashlib.md5(b"".join(bytes.fromhex(part.etag) for part in parts), usedforsecurity=False)
        stored = Stored(
            key=key,
            etag=f"{digest.hexdigest()}-{len(parts)}",
            size=sum(part.size for part in parts),
            modified=self._clock.now(),
            headers=upload.headers,
            file=name,
        )
        try:
            self.get(bucket, key, upload_id)
        except S3Error:
            self._store.discard(name)
            raise
        self._store.commit(bucket, stored, condition)
        self.abort(bucket, key, upload_id)
        return stored

    def abort(self, bucket: str, key: str, upload_id: str) -> None:
        """Forget the upload and its parts; raise NoSuchUpload."""
        self.get(bucket, key, upload_id)
        parts = self._index.parts(upload_id)
        self._index.remove_upload(upload_id)
        for part in parts:
            self._store.discard(part.file)

    def get(self, bucket: str, key: str, upload_id: str) -> Upload:
        """Return the unfinished upload; raise NoSuchUpload."""
        upload = self._index.upload(upload_id)
        if upload is None or (upload.bucket, upload.key) != (bucket, key):
            raise S3Error(*_NO_SUCH_UPLOAD)
        return upload

    def all(self, bucket: str) -> list[Upload]:
        """Return the bucket's unfinished uploads."""
        self._store.region(bucket)
        return self._index.uploads(bucket)

    def parts(self, bucket: str, key: str, upload_id: str) -> list[Part]:
        """Return the upload's parts by number; raise NoSuchUpload."""
        self.get(bucket, key, upload_id)
        return self._index.parts(upload_id)


def _join(parts: list[Path], whole: Path) -> None:
    with whole.open("wb") as out:
        for part in parts:
            out.write(part.read_bytes())
