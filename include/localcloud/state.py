"""Resources on disk: one small JSON file each, replaced atomically, so a SIGKILL loses nothing."""

import fcntl
import hashlib
import json
import os
import urllib.parse
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any, TextIO

Record = dict[str, Any]

_LONGEST_FILE = 200  # characters of a file's name before its ending; file systems have 255 bytes
# Begins the name of a file that is too short for its record's name, which stands beside the record.
_HASHED = "~"


class Table(MutableMapping[str, Record]):
    """A mapping from names to JSON records that is on disk before an assignment returns.

    Records handed out are the table's own: change them, then assign them again to store the change.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._records: dict[str, Record] = {}
        for file in sorted(folder.glob("*.json")):
            name, record = urllib.parse.unquote(file.stem), json.loads(file.read_text())
            if name.startswith(_HASHED):
                name, record = record
            self._records[name] = record

    def __getitem__(self, name: str) -> Record:
        return self._records[name]

    def __setitem__(self, name: str, record: Record) -> None:
        file = self._file(name)
        partial = file.with_suffix(".partial")
        kept = [name, record] if file.name.startswith(_HASHED) else record
        partial.write_text(json.dumps(kept, indent=1))
        os.replace(partial, file)
        self._records[name] = record

    def __delitem__(self, name: str) -> None:
        del self._records[name]
        self._file(name).unlink(missing_ok=True)

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def _file(self, name: str) -> Path:
        stem = urllib.parse.quote(name, safe="")
        if len(stem) > _LONGEST_FILE or stem.startswith(_HASHED):
            stem = _HASHED + hashlib.sha256(name.encode()).hexdigest()
        return self._folder / f"{stem}.json"


class StateInUseError(Exception):
    """Another process serves from the same folder."""


def claim(folder: Path) -> TextIO:
    """Return a lock on the state folder, held until it is closed or the process ends.

    Raises StateInUseError naming the holder's process id.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise StateInUseError(
            f"the state folder {folder} is in use by process {holder}; stop it or choose another with --state"
        ) from error
    lock.seek(0)
    lock.truncate()
    lock.write(str(os.getpid()))
    lock.flush()
    return lock
