"""The processes of a run: started so that none can be lost, stopped so that none is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from quickstart import procfs

# The child waits for a line before it becomes the program; the line is sent once it is on record.
# A driver that dies in between closes the pipe, and the child ends without having been anything.
GATE = 'read -r go && exec "$@" </dev/null'

TERM_SECONDS = 5.0  # enough for an orderly end; a scheduler would wait for its running tasks for hours
KILL_SECONDS = 10.0


class ProcessDiedError(Exception):
    """A process ended that should be running; the message holds the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One started process: the leader of a session that holds all its children."""

    name: str
    pid: int
    started: str  # see procfs.Process; a pid that was given to somebody else has another
    log: str


class Roster:
    """Everything a run has started. What is on record and alive is stopped by whoever comes next.

    Each process leads a session of its own, so that a Ctrl-C in the terminal reaches the driver only and
    so that its children, whatever process group they moved to, are found again: also those that outlive
    it, as Airflow's idle workers do when their scheduler is killed.
    """

    def __init__(self, record: Path, logs: Path) -> None:
        self._record = record
        self._logs = logs
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> Entry:
        """Start a process that is on record before its program begins; its output goes to `<name>.log`.

        Raises OSError where the record or the log cannot be written.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        log = self._logs / f"{name}.log"
        with log.open("ab") as output:
            child = subprocess.Popen(
                ["/bin/sh", "-c", GATE, "gate", *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
            )
        assert child.stdin is not None
        with child.stdin:
            born = procfs.process(child.pid)
            if born is None:
                raise ProcessDiedError(f"{name} ended before it began.")
            entry = Entry(name=name, pid=child.pid, started=born.started, log=str(log))
            self._children[child.pid] = child
            self._write([*self._read(), entry])
            child.stdin.write(b"go\n")
        return entry

    def run(self, name: str, command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> None:
        """Start a process and wait until it has ended; ProcessDiedError where it ended with an error."""
        entry = self.start(name, command, env=env, cwd=cwd)
        status = self._children[entry.pid].wait()
        self.stop(name)
        if status != 0:
            raise ProcessDiedError(
                f"{name} ended with {status}. The end of its log:\n{log_tail(Path(entry.log))}"
            )

    def alive(self, name: str) -> bool:
        """Say whether the latest process of this name runs."""
        entry = self._latest(name)
        return entry is not None and self._leader(entry) is not None

    def running(self) -> list[Entry]:
        """Return the entries of which any process still lives, in starting order."""
        return [entry for entry in self._read() if self._members(entry)]

    def entries(self) -> list[Entry]:
        """Return what is on record, in starting order: what was started and not stopped."""
        return self._read()

    def check(self, names: Iterable[str]) -> None:
        """Raise ProcessDiedError, with the end of its log, for the first of these that does not run."""
        for name in names:
            if not self.alive(name):
                entry = self._latest(name)
                tail = log_tail(Path(entry.log)) if entry else ""
                raise ProcessDiedError(f"{name} has ended. The end of its log:\n{tail}")

    def kill(self, name: str, *, children: bool = True) -> None:
        """SIGKILL the latest process of this name, as a crash would; with its children unless told not to."""
        entry = self._latest(name)
        if entry is None:
            return
        if children:
            self._destroy([entry])
        elif self._leader(entry):
            _signal(entry.pid, signal.SIGKILL)
            self._reap()

    def stop(self, *names: str, patience: float = TERM_SECONDS) -> None:
        """End these, or everything on record: SIGTERM to each leader, which ends its children; after at most
        `patience` seconds SIGKILL to whatever is left of the sessions.

        A SIGTERM to the children as well would confuse Airflow's triggerer for ten seconds. Safe to call again, also
        from another program than the one that started them: a pid that has been given to another process since is
        left alone.
        """
        entries = [entry for entry in self._read() if not names or entry.name in names]
        for entry in entries:
            if self._leader(entry):
                _signal(entry.pid, signal.SIGTERM)
        _wait(lambda: not any(self._leader(entry) for entry in entries), patience, self._reap)
        self._destroy(entries)

    def _destroy(self, entries: Sequence[Entry]) -> None:
        # A dying process may still fork: look again until nothing is found.
        def nothing_left() -> bool:
            left = [member for entry in entries for member in self._members(entry)]
            for member in left:
                _signal(member.pid, signal.SIGKILL)
            return not left

        _wait(nothing_left, KILL_SECONDS, self._reap)
        self._write([entry for entry in self._read() if entry not in entries or self._members(entry)])

    def _leader(self, entry: Entry) -> procfs.Process | None:
        found = procfs.process(entry.pid)
        return found if found is not None and found.started == entry.started else None

    def _members(self, entry: Entry) -> list[procfs.Process]:
        # While any member lives the kernel gives the session's number to no new process; a leader with
        # another start time therefore means that ours are all gone.
        members = procfs.session_members(entry.pid)
        strangers = any(m.pid == entry.pid and m.started != entry.started for m in members)
        return [] if strangers else members

    def _latest(self, name: str) -> Entry | None:
        return next((entry for entry in reversed(self._read()) if entry.name == name), None)

    def _reap(self) -> None:
        for pid, child in list(self._children.items()):
            if child.poll() is not None:
                del self._children[pid]

    def _read(self) -> list[Entry]:
        try:
            return [Entry(**entry) for entry in json.loads(self._record.read_text())]
        except FileNotFoundError:
            return []

    def _write(self, entries: Sequence[Entry]) -> None:
        self._record.parent.mkdir(parents=True, exist_ok=True)
        draft = self._record.with_suffix(".draft")
        draft.write_text(json.dumps([asdict(entry) for entry in entries], indent=1))
        draft.replace(self._record)  # whole or not at all, whenever we are killed


def log_tail(log: Path, *, lines: int = 15) -> str:
    """Return the last lines of a log, or a sentence that says there is none."""
    with suppress(OSError):
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    return f"{log} cannot be read"


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _wait(done: Callable[[], bool], seconds: float, reap: Callable[[], None]) -> None:
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        reap()
        time.sleep(0.05)
    reap()
