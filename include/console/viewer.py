"""Who is looking, as far as the console needs to know."""

from __future__ import annotations

from typing import Protocol

from include.report.listing import Coming


class Viewer(Protocol):
    """A person who is logged in: what they may read, and what they may know of Airflow's own runs."""

    def may_read(self, dag_id: str) -> bool:
        """Say whether the person may read this DAG, and hence its rollouts."""
        ...

    def state_of(self, dag_id: str, run_id: str) -> str | None:
        """Return the state of a DAG run of a DAG that the person may read; None if there is no such run."""
        ...

    def coming(self) -> list[Coming]:
        """List the runs that are queued or scheduled, of the DAGs that roll out and that the person may read."""
        ...
