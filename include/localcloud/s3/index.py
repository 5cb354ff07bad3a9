"""What is stored under which key: one SQLite file, small bodies inside it, large ones in files beside it.

Every call is a few microseconds of in-process work, so the server's loop makes them itself; with one
thread there, a conditional write's check and commit cannot be torn apart by another write. Write-ahead
logging without fsync survives the process being killed at any moment (not a power cut).
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS buckets (name TEXT PRIMARY KEY, created REAL NOT NULL, region TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS objects (
    bucket TEXT NOT NULL, key BLOB NOT NULL, etag TEXT NOT NULL, size INTEGER NOT NULL, modified REAL NOT NULL,
    headers TEXT NOT NULL, body BLOB, file TEXT, PRIMARY KEY (bucket, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key BLOB NOT NULL, started REAL NOT NULL, headers TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS parts (
    upload TEXT NOT NULL, number INTEGER NOT NULL, etag TEXT NOT NULL, size INTEGER NOT NULL,
    modified REAL NOT NULL, file TEXT NOT NULL, PRIMARY KEY (upload, number));
"""
_OBJECT = "key, etag, size, modified, headers, body, file"
_LISTED = "key, etag, size, modified, headers, NULL, NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One object as the index knows it; its body is either `body` or in `file`."""

    key: str
    etag: str  # without quotes
    size: int  # bytes
    modified: float  # epoch seconds
    headers: Mapping[str, str] = field(default_factory=dict)  # returned as they are with every read
    body: bytes | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One uploaded part of a multipart upload."""

    number: int
    etag: str
    size: int
    modified: float
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A multipart upload that was neither completed nor aborted."""

    id: str
    bucket: str
    key: str
    started: float
    headers: Mapping[str, str]


class Index:
    """The buckets, objects and unfinished uploads of one state folder."""

    def __init__(self, file: Path) -> None:
        # isolation_level None: each statement commits by itself
        self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False, cached_statements=64)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.executescript(_SCHEMA)
        rows = self._db.execute("SELECT name, created, region FROM buckets")
        # Kept here because every request asks for one.
        self._buckets: dict[str, tuple[str, float, str]] = {row[0]: row for row in rows}

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    # buckets

    def buckets(self) -> list[tuple[str, float, str]]:
        """Return every bucket's (name, created, region) by name."""
        return sorted(self._buckets.values())

    def bucket(self, name: str) -> tuple[str, float, str] | None:
        """Return the bucket's (name, created, region), or None."""
        return self._buckets.get(name)

    def add_bucket(self, name: str, created: float, region: str) -> None:
        """Add a bucket; one that exists keeps its date and region."""
        if name not in self._buckets:
            self._db.execute("INSERT INTO buckets VALUES (?, ?, ?)", (name, created, region))
            self._buckets[name] = (name, created, region)

    def remove_bucket(self, name: str) -> None:
        """Remove a bucket."""
        self._db.execute("DELETE FROM buckets WHERE name = ?", (name,))
        del self._buckets[name]

    # objects

    def object(self, bucket: str, key: str) -> Stored | None:
        """Return the object under the key, or None."""
        row = self._db.execute(
            f"SELECT {_OBJECT} FROM objects WHERE bucket = ? AND key = ?",  # noqa: S608 (a constant)
            (bucket, key.encode()),
        ).fetchone()
        return None if row is None else _stored(row)

    def etag(self, bucket: str, key: str) -> str | None:
        """Return the entity tag under the key, or None; cheaper than the object."""
        row = self._db.execute(
            "SELECT etag FROM objects WHERE bucket = ? AND key = ?", (bucket, key.encode())
        ).fetchone()
        return None if row is None else str(row[0])

    def put(self, bucket: str, stored: Stored) -> None:
        """Store the object under its key, replacing what was there."""
        self._db.execute(
            "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                bucket,
                stored.key.encode(),
                stored.etag,
                stored.size,
                stored.modified,
                json.dumps(dict(stored.headers)),
                stored.body,
                stored.file,
            ),
        )

    def remove(self, bucket: str, key: str) -> None:
        """Remove the object; a key that does not exist is no error."""
        self._db.execute("DELETE FROM objects WHERE bucket = ? AND key = ?", (bucket, key.encode()))

    def keys_from(self, bucket: str, start: bytes, *, limit: int) -> list[Stored]:
        """Return at most `limit` objects, without bodies, whose key's UTF-8 bytes are ≥ `start`, in S3's order."""
        rows = self._db.execute(
            f"SELECT {_LISTED} FROM objects WHERE bucket = ? AND key >= ? ORDER BY key LIMIT ?",  # noqa: S608
            (bucket, start, limit),
        )
        return [_stored(row) for row in rows]

    def files(self) -> Iterator[str]:
        """Return the name of every body file that an object or a part needs."""
        for (name,) in self._db.execute(
            "SELECT file FROM objects WHERE file IS NOT NULL UNION SELECT file FROM parts"
        ):
            yield name

    # multipart uploads

    def add_upload(self, upload: Upload) -> None:
        """Remember a multipart upload."""
        self._db.execute(
            "INSERT INTO uploads VALUES (?, ?, ?, ?, ?)",
            (upload.id, upload.bucket, upload.key.encode(), upload.started, json.dumps(dict(upload.headers))),
        )

    def upload(self, upload_id: str) -> Upload | None:
        """Return the unfinished upload, or None."""
        row = self._db.execute("SELECT * FROM uploads WHERE id = ?", (upload_id,)).fetchone()
        return None if row is None else _upload(row)

    def uploads(self, bucket: str) -> list[Upload]:
        """Return the bucket's unfinished uploads by key and start."""
        rows = self._db.execute("SELECT * FROM uploads WHERE bucket = ? ORDER BY key, started", (bucket,))
        return [_upload(row) for row in rows]

    def add_part(self, upload_id: str, part: Part) -> None:
        """Store a part, replacing an earlier one of the same number."""
        self._db.execute(
            "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?)",
            (upload_id, part.number, part.etag, part.size, part.modified, part.file),
        )

    def parts(self, upload_id: str) -> list[Part]:
        """Return the upload's parts by number."""
        rows = self._db.execute(
            "SELECT number, etag, size, modified, file FROM parts WHERE upload = ? ORDER BY number",
            (upload_id,),
        )
        return [
            Part(number=number, etag=etag, size=size, modified=modified, file=file)
            for number, etag, size, modified, file in rows
        ]

    def remove_upload(self, upload_id: str) -> None:
        """Forget the upload and its parts."""
        self._db.execute("DELETE FROM uploads WHERE id = ?", (upload_id,))
        self._db.execute("DELETE FROM parts WHERE upload = ?", (upload_id,))


def _stored(row: tuple[bytes, str, int, float, str, bytes | None, str | None]) -> Stored:
    key, etag, size, modified, headers, body, file = row
    return Stored(
        key=key.decode(),
        etag=etag,
        size=size,
        modified=modified,
        headers=json.loads(headers),
        body=body,
        file=file,
    )


def _upload(row: tuple[str, str, bytes, float, str]) -> Upload:
    upload_id, bucket, key, started, headers = row
    return Upload(id=upload_id, bucket=bucket, key=key.decode(), started=started, headers=json.loads(headers))
