"""What the operating system says about processes: identity, session, and who listens on a port.

Linux's /proc is read directly; where there is none, psutil answers.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

PROC = Path("/proc")
ZOMBIES = frozenset("ZX")


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process as seen at one moment; `pid` and `started` together never name another one."""

    pid: int
    session: int  # the pid of the process that began the session, which may be gone
    started: str  # opaque; equal only for the same process (ticks since boot, with the boot's id)


def process(pid: int) -> Process | None:
    """Return the live process of this pid; a zombie or a stranger's is none."""
    if not (PROC / "self" / "stat").exists():
        return _ask_psutil(pid)
    try:
        # The command is in parentheses and may itself hold spaces and parentheses: cut after the last.
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (OSError, UnicodeDecodeError):
        return None
    state, session, ticks = fields[0], int(fields[3]), fields[19]  # proc(5): fields 3, 6 and 22
    if state in ZOMBIES:
        return None
    return Process(pid=pid, session=session, started=f"{_boot()}:{ticks}")


def session_members(session: int) -> list[Process]:
    """Return every live process of this session.

    Airflow moves each task into a process group of its own, so groups are not enough to find them all;
    a session is inherited by every child that does not ask for another.
    """
    found = (process(pid) for pid in psutil.pids())
    return [each for each in found if each is not None and each.session == session]


def listener(port: int) -> tuple[int, str] | None:
    """Return pid and command of whoever listens on this TCP port; None when that cannot be seen.

    Another user's sockets cannot be attributed without privileges: the port may be busy all the same.
    """
    for pid in psutil.pids():
        with suppress(psutil.Error):
            candidate = psutil.Process(pid)
            for connection in candidate.net_connections(kind="tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                    return pid, " ".join(candidate.cmdline())[:120] or candidate.name()
    return None


def _boot() -> str:
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()[:8]


def _ask_psutil(pid: int) -> Process | None:
    try:
        seen = psutil.Process(pid)
        if seen.status() == psutil.STATUS_ZOMBIE:
            return None
        return Process(pid=pid, session=os.getsid(pid), started=f"{seen.create_time():.2f}")
    except (psutil.Error, OSError):
        return None
