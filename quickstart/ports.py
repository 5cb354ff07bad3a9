"""Which TCP ports the local project uses, and what happens when one is taken."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TextIO

from quickstart import procfs


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The ports of one run, all on the loopback interface; the defaults are the documented ones."""

    airflow: int = 8080  # the UI and REST API
    worker_logs: int = 8793
    trigger_logs: int = 8794
    cloud: int = 4566  # the local SageMaker, CloudWatch and S3

    def __post_init__(self) -> None:
        chosen = [getattr(self, field.name) for field in fields(self)]
        if not all(1 <= port <= 65535 for port in chosen) or len(set(chosen)) != len(chosen):
            raise ValueError(f"ports are {chosen}; they must be four different numbers from 1 to 65535")


LABELS: Mapping[str, str] = {
    "airflow": "Airflow",
    "worker_logs": "Airflow's task logs",
    "trigger_logs": "Airflow's trigger logs",
    "cloud": "the local cloud",
}


def choose(say: Callable[[str], None], *, wanted: Ports | None = None, ours: Collection[str] = ()) -> Ports:
    """Keep every wanted port that is free and replace the others, saying who holds them.

    What is chosen is claimed as long as this process lives: between choosing a port and listening on it lie ten
    seconds, in which another local project of this user would find it free too.

    A port named in `ours` is kept as it is: what listens there is ours already.
    """
    wanted = wanted or Ports()
    chosen: dict[str, int] = {name: getattr(wanted, name) for name in ours}
    for name, label in LABELS.items():
        if name in ours:
            continue
        port = getattr(wanted, name)
        if port not in chosen.values() and is_free(port) and _claim(port):
            chosen[name] = port
            continue
        chosen[name] = free_port(avoid=chosen.values())
        say(f"Port {port} for {label} is taken by {_holder(port)}; using {chosen[name]} instead.")
    return Ports(**chosen)


def any_free() -> Ports:
    """Return four free ports, none of them a documented default (for tests that run side by side)."""
    chosen: list[int] = []
    for _ in LABELS:
        chosen.append(free_port(avoid=chosen))
    return Ports(**dict(zip(LABELS, chosen, strict=True)))


def is_free(port: int) -> bool:
    """Say whether a server could listen on this port now, on loopback and on every interface.

    Airflow's log servers listen on all interfaces and on IPv6, so both families are tried.
    """
    for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind((host, port))
                probe.listen(1)
        except OSError as error:
            if family == socket.AF_INET or error.errno == errno.EADDRINUSE:
                return False  # a machine without IPv6 answers otherwise, and that takes no port
    return True


def free_port(*, avoid: Iterable[int] = ()) -> int:
    """Claim and return a port that the system had free a moment ago and that is not in `avoid`."""
    taken = set(avoid)
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in taken and is_free(port) and _claim(port):
            return port


_claims: dict[int, TextIO] = {}  # held by their locks, which end with this process however it ends


def _claim(port: int) -> bool:
    """Claim a port before all local projects of this user that start meanwhile; False if another one was quicker."""
    if port in _claims:
        return True
    file = _claim_file(port)
    file.parent.mkdir(mode=0o700, exist_ok=True)
    claim = file.open("a+")
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        claim.close()
        return False
    claim.truncate(0)
    claim.write(str(os.getpid()))
    claim.flush()
    _claims[port] = claim
    return True


def _claim_file(port: int) -> Path:
    return Path(tempfile.gettempdir()) / f"penumbra-ports-{os.getuid()}" / str(port)


def _holder(port: int) -> str:
    """Say who has a port: who listens on it, or the local project that is about to."""
    if holder := procfs.listener(port):
        return f"pid {holder[0]} ({holder[1].strip()})"
    with contextlib.suppress(OSError):
        return f"pid {_claim_file(port).read_text()} (a local project that is starting)"
    return "a process that cannot be seen from here"
