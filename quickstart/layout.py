"""Where everything that a run of the local project writes is kept: under one ignored folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
# Another place may be named, so that a test can run the whole demonstration beside a person's own.
RUN = Path(os.environ.get("PENUMBRA_RUN", PROJECT / ".run")).resolve()


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The folders and files of one run; nothing is written outside `home` and the shared `samples`."""

    home: Path  # absolute
    samples: Path = RUN / "samples"  # generated data and models, the same for every run
    project: Path = PROJECT

    def __post_init__(self) -> None:
        if not self.home.is_absolute():
            raise ValueError(f"a run's folder is {self.home}; it must be an absolute path")

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME: database, task logs, generated configuration."""
        return self.home / "airflow"

    @property
    def cloud(self) -> Path:
        """The state of the local cloud: resources and objects."""
        return self.home / "cloud"

    @property
    def logs(self) -> Path:
        """What each process printed."""
        return self.home / "logs"

    @property
    def processes(self) -> Path:
        """The record of every process that was started and may still run."""
        return self.home / "processes.json"

    @property
    def lock(self) -> Path:
        """Held (flock) by the driver for as long as it lives, so that a second one is refused."""
        return self.home / "lock"

    @property
    def address(self) -> Path:
        """URLs, users and passwords of what runs now, for `make traffic` and the next `make up`."""
        return self.home / "address.json"


def local() -> Layout:
    """Return the layout of `make up`, which stays until `make down`."""
    return Layout(home=RUN / "local")


def demo() -> Layout:
    """Return the layout of `make demo`, which begins empty every time."""
    return Layout(home=RUN / "demo")


def loopback() -> str:
    """Return the name under which this machine's Airflow processes reach each other's logs.

    Airflow asks for its host's name and fetches running tasks' logs from there; on a laptop that name
    often resolves to nothing, or to an interface that a firewall closes.
    """
    return "127.0.0.1"
