"""Model artefacts: from their S3 URL to a file that an instance can unpack."""

import asyncio
import hashlib
import os
import uuid
from collections.abc import Iterable
from pathlib import Path

from include.localcloud.s3.error import S3Error
from include.localcloud.s3.store import ObjectStore


class ArtifactError(Exception):
    """The artefact is not where its URL says; the text is the sentence for the caller."""


class Artifacts:
    """Local copies of model artefacts, one per bucket, key and entity tag."""

    def __init__(self, store: ObjectStore, folder: Path) -> None:
        self._store = store
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def present(self, url: str) -> bool:
        """Tell whether the URL is an S3 URL of an object that exists here."""
        bucket, key = _split(url)
        try:
            self._store.head(bucket, key)
        except S3Error:
            return False
        return True

    def copy(self, name: str) -> Path | None:
        """Return the local copy of that name, or None when it is gone."""
        file = self._folder / name
        return file if file.exists() else None

    def prune(self, needed: Iterable[str]) -> None:
        """Remove every copy but the needed ones."""
        kept = set(needed)
        for file in self._folder.iterdir():
            if file.name not in kept:
                file.unlink()

    async def fetch(self, url: str) -> Path:
        """Return a local file with the object's content as it is now; raise ArtifactError."""
        bucket, key = _split(url)
        try:
            stored = self._store.head(bucket, key)
        except S3Error as error:
            raise ArtifactError(error.code) from error
        digest = hashlib.sha256(f"{bucket}/{key}/{stored.etag}".encode()).hexdigest()[:32]
        file = self._folder / f"{digest}.tar.gz"
        if not file.exists():
            body = await self._store.body(stored)
            await asyncio.to_thread(_write, file, body)
        return file


def _split(url: str) -> tuple[str, str]:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key


def _write(file: Path, body: bytes) -> None:
    partial = file.with_name(f"{file.name}.{uuid.uuid4().hex}")
    partial.write_bytes(body)
    os.replace(partial, file)
