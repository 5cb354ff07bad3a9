"""JSON and bytes under one location, in S3 or in a folder, with first-writer-wins and compare-and-swap."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.exceptions import PermissionDeniedError as DeniedError
from obstore.exceptions import UnauthenticatedError as UnsignedError
from obstore.store import LocalStore, S3Store

from include.ledger.bucket import bucket_store
from include.ledger.canonical import canonical
from include.rollout.errors import ConflictError, LedgerError

_JSON = "application/json"
_READERS = 16  # concurrent GETs of `get_many`: S3 answers in tens of milliseconds, whatever the size
_ATTEMPTS = 6  # of a conditional write whose outcome is unknown; obstore has retried each on its own already
_PAUSE = 0.05  # seconds before the second attempt, doubled each time
_runtime: dict[str, int] = {}  # the process in which obstore's threads live


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """AWS credentials as they are now; `expiry` None says that they stay valid."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    expiry: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class StoreAccess:
    """How S3 is reached; whatever is None is found as obstore finds it (environment, web identity, instance).

    `credentials` is called again from five minutes before the expiry that it gave.
    """

    region: str | None = None
    endpoint_url: str | None = None
    credentials: Callable[[], Credentials] | None = None


class Store:
    """Small objects under one location: `s3://bucket/prefix`, `file:///folder`, or a folder's path.

    Opened per process: the library underneath runs threads that do not survive a fork. Calls block (and
    release the interpreter's lock), so on an event loop they belong in a thread. A folder serves the
    processes of one machine, S3 everybody.
    """

    def __init__(self, location: str, access: StoreAccess | None = None) -> None:
        self.location = location.rstrip("/") or "/"
        self._folder: Path | None = None
        self._objects: S3Store | LocalStore
        if location.startswith("s3://"):
            self._objects = _bucket(location, access or StoreAccess())
        elif "://" in location and not location.startswith("file://"):
            raise LedgerError(
                f"The location {location!r} is neither s3://bucket/prefix nor a folder; give one."
            )
        else:
            path = unquote(location.removeprefix("file://")) if location.startswith("file://") else location
            self._folder = Path(path).absolute()
            with self._explained("open", ""):
                self._objects = LocalStore(self._folder, mkdir=True)

    def __repr__(self) -> str:
        return f"Store({self.location!r})"

    def put_once(self, key: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Store `document` unless the key exists; return what is stored, which is the first writer's.

        A write whose answer was lost and that was sent again meets itself: the answer is the same.
        """
        body = canonical(document)
        return _parsed(self._create(key, body, _JSON), key)

    def put_bytes_once(self, key: str, body: bytes, content_type: str) -> bool:
        """Store `body` unless the key exists; say whether these bytes are what is stored."""
        return self._create(key, body, content_type) == body

    def get(self, key: str) -> dict[str, Any] | None:
        """Read a JSON document, or None if there is none."""
        body = self.get_bytes(key)
        return None if body is None else _parsed(body, key)

    def get_many(self, keys: Sequence[str]) -> list[dict[str, Any] | None]:
        """Read many documents at once, in the order of `keys`."""
        if len(keys) < 3:
            return [self.get(key) for key in keys]
        with ThreadPoolExecutor(max_workers=_READERS) as readers:
            return list(readers.map(self.get, keys))

    def get_bytes(self, key: str) -> bytes | None:
        """Read an object's bytes, or None if there is none (a missing bucket is an error, not None)."""
        found = self._fetch(key)
        return None if found is None else found[0]

    def get_with_tag(self, key: str) -> tuple[dict[str, Any], str] | None:
        """Read a document and the tag that `replace` compares, both of one moment."""
        found = self._fetch(key)
        return None if found is None else (_parsed(found[0], key), found[1])

    def keys(self, prefix: str = "", *, limit: int | None = None, after: str = "") -> list[str]:
        """List keys below the folder-like `prefix`, sorted, relative to the location.

        `after` leaves out keys up to and including itself; `limit` stops early, which on S3 costs one
        call per thousand keys returned.
        """
        found: list[str] = []
        with self._explained("list", prefix):
            for page in obstore.list(self._objects, prefix or None, offset=after or None, chunk_size=1000):
                found.extend(entry["path"] for entry in page if entry["path"] > after)
                if limit is not None and len(found) >= limit and self._folder is None:
                    break  # S3 lists in key order, a folder does not
        return sorted(found)[:limit]

    def replace(self, key: str, document: Mapping[str, Any], *, expected: str | None) -> str:
        """Store `document` only if the key still has the tag `expected` (None: no object); return the new tag.

        Raises ConflictError if somebody else was first. A write whose answer was lost is recognised by
        its bytes, so a document for which "the same content" must not mean "the same writer" carries a
        token of its own.
        """
        body = canonical(document)
        for attempt in range(_ATTEMPTS):
            time.sleep(_PAUSE * (2**attempt - 1))
            failure: BaseError | None = None
            with self._explained("write", key):
                try:
                    return self._swap(key, body, expected)
                except (AlreadyExistsError, PreconditionError, FileNotFoundError) as error:
                    if isinstance(error, FileNotFoundError) and "NoSuchBucket" in str(error):
                        raise
                except (DeniedError, UnsignedError):
                    raise
                except BaseError as error:  # 5xx, a cut connection, a timeout: it may have been written
                    failure = error
                found = self._fetch(key)
                if found is not None and found[0] == body:
                    return found[1]
                if (None if found is None else found[1]) != expected:
                    raise ConflictError(f"Somebody else wrote {key} first; read it again and decide anew.")
                if failure is not None and attempt == _ATTEMPTS - 1:
                    raise failure
        raise ConflictError(f"Somebody else keeps writing {key}; read it again and decide anew.")

    def _create(self, key: str, body: bytes, content_type: str) -> bytes:
        """Return the bytes that are stored under `key`: these, or those of whoever was first."""
        for attempt in range(_ATTEMPTS):
            time.sleep(_PAUSE * (2**attempt - 1))
            with self._explained("write", key):
                try:
                    self._put_new(key, body, content_type)
                    return body
                except (DeniedError, UnsignedError):
                    raise
                except AlreadyExistsError:
                    pass
                except BaseError:  # it may have been written: look, and write again if it was not
                    if attempt == _ATTEMPTS - 1:
                        raise
            # S3 answers 409 to a write that overlaps another's, which then may still fail: look first.
            stored = self.get_bytes(key)
            if stored is not None:
                return stored
        raise LedgerError(f"{self.location}/{key} is being written by somebody else all the time; try again.")

    def _put_new(self, key: str, body: bytes, content_type: str) -> str:
        # If-None-Match: * on S3; a hard link, which fails if the name exists, in a folder (no attributes).
        attributes = {"Content-Type": content_type} if self._folder is None else None
        result = obstore.put(
            self._objects, key, body, mode="create", attributes=attributes, use_multipart=False
        )
        return result["e_tag"] or "" if self._folder is None else _tag(body)

    def _swap(self, key: str, body: bytes, expected: str | None) -> str:
        if expected is None:
            return self._put_new(key, body, _JSON)
        if self._folder is None:
            result = obstore.put(
                self._objects,
                key,
                body,
                mode={"e_tag": expected},
                attributes={"Content-Type": _JSON},
                use_multipart=False,
            )
            return result["e_tag"] or ""
        with _locked(self._folder):
            found = self._fetch(key)
            if found is None or found[1] != expected:
                raise PreconditionError(key)
            obstore.put(self._objects, key, body)  # a new file renamed over the old one
        return _tag(body)

    def _fetch(self, key: str) -> tuple[bytes, str] | None:
        with self._explained("read", key):
            try:
                result = obstore.get(self._objects, key)
                body = bytes(result.bytes())
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):
                    raise
                return None
            return body, (result.meta["e_tag"] or "") if self._folder is None else _tag(body)

    @contextmanager
    def _explained(self, verb: str, key: str) -> Iterator[None]:
        """Turn the library's errors into one sentence that says what to do."""
        where = f"{self.location}/{key}"
        process = os.getpid()
        if _runtime.setdefault("process", process) != process:  # it would wait for threads that are not there
            raise LedgerError(
                f"Cannot {verb} {where}: process {process} was forked from one that had used a store already; "
                "open the first store after the fork, or spawn instead."
            )
        try:
            yield
        except (DeniedError, UnsignedError, PermissionError) as error:
            raise LedgerError(
                f"Cannot {verb} {where}: access was denied ({_first_line(error)}); allow s3:GetObject, "
                "s3:PutObject and s3:ListBucket on it, or mend the credentials."
            ) from error
        except (BaseError, ValueError, OSError) as error:
            if "NoSuchBucket" in str(error):
                raise LedgerError(
                    f"Cannot {verb} {where}: the bucket does not exist; create it, or correct its name."
                ) from None
            raise LedgerError(f"Cannot {verb} {where}: {_first_line(error)}") from error


def _bucket(location: str, access: StoreAccess) -> S3Store:
    bucket, _, prefix = location.removeprefix("s3://").strip("/").partition("/")
    if not bucket:
        raise LedgerError(f"The location {location!r} names no bucket; write s3://bucket/prefix.")
    return bucket_store(bucket, access, prefix=prefix)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's own lock: the kernel lets it go when the process dies, and it is no key."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _tag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()}"'


def _parsed(body: bytes, key: str) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise LedgerError(f"The object {key} is not a JSON document; it was not written by Penumbra.")
    return document


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
