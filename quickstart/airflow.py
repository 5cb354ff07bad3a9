"""A real Airflow of this project's own: four components, each of which can be killed and started alone."""

from __future__ import annotations

import contextlib
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from quickstart.client import AirflowClient, ApiError
from quickstart.environment import Secrets, Timing, airflow_environment, database
from quickstart.layout import Layout
from quickstart.ports import Ports
from quickstart.roster import Roster
from quickstart.settings import Pool

# What Airflow's health report calls the component, and the field of its last heartbeat. `airflow standalone`
# would start the same four, but as children of one that orphans them when it is asked to end.
COMPONENTS: Mapping[str, str | None] = {
    "api-server": None,
    "scheduler": "scheduler",
    "dag-processor": "dag_processor",
    "triggerer": "triggerer",
}


class Airflow:
    """One Airflow on SQLite with the LocalExecutor; its database, logs and passwords lie in the layout."""

    def __init__(
        self,
        layout: Layout,
        ports: Ports,
        roster: Roster,
        *,
        settings: Mapping[str, str],
        pools: tuple[Pool, ...] = (),
        parallelism: int = 4,
        timing: Timing | None = None,
        dags: Path | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        """`settings` are the AIRFLOW_CONN_* and AIRFLOW_VAR_*; `extra` overrides any variable (tests)."""
        self.url = f"http://127.0.0.1:{ports.airflow}"
        self.dags = dags or layout.project / "dags"
        self.secrets = Secrets.kept_in(layout.airflow)
        self.environment = airflow_environment(
            layout,
            ports,
            self.secrets,
            settings=settings,
            parallelism=parallelism,
            timing=timing or Timing(),
            dags=self.dags,
        ) | dict(extra or {})
        self._layout = layout
        self._roster = roster
        self._pools = pools

    def client(self, user: str = "admin") -> AirflowClient:
        """Return a client of this Airflow for its `admin`, or its `viewer`, who may only look."""
        return AirflowClient(self.url, user=user, password=getattr(self.secrets, user))

    def start(self, *, timeout: float = 240.0) -> None:
        """Create or migrate the database, start all components, wait until they are healthy, make the pools.

        Raises ProcessDiedError with the end of the log of a component that ended, TimeoutError with what
        is not healthy yet.
        """
        self._roster.run(
            "airflow-migrate", self._command("db", "migrate"), env=self.environment, cwd=self._cwd
        )
        self.start_component(*COMPONENTS, timeout=timeout)
        self._build_task_api(timeout)
        client = self.client()
        for pool in self._pools:
            client.ensure_pool(
                pool.name,
                slots=pool.slots,
                description=pool.description,
                include_deferred=pool.include_deferred,
            )

    def start_component(self, *names: str, timeout: float = 120.0) -> None:
        """Start these components and wait until each has sent a heartbeat of its new life.

        What an earlier life of it left behind is ended first: LocalExecutor's idle workers survive a killed
        scheduler. The API server must run or be among them: it is what is asked.
        """
        self._roster.stop(*(_entry(name) for name in names), patience=0)
        since = datetime.now(UTC)
        for name in names:
            self._roster.start(
                _entry(name), self._command(name), env=self._environment_of(name), cwd=self._cwd
            )
        newborn = dict.fromkeys(names, since)
        self._wait(lambda: self.unhealthy(newborn), [_entry(name) for name in names], timeout)

    def kill(self, name: str, *, children: bool = True) -> None:
        """SIGKILL a component, with its children (as the end of its container would) unless told not to."""
        self._roster.kill(_entry(name), children=children)

    def stop(self, *names: str) -> None:
        """End these components, or all, as a person would (SIGTERM), and what is left of them hard."""
        self._roster.stop(*(_entry(name) for name in names or COMPONENTS))

    def unhealthy(self, newborn: Mapping[str, datetime] | None = None) -> str:
        """Return what is wrong in one line, or nothing when this is our Airflow and all of it is healthy.

        Another Airflow on the same port reports its own health, but refuses our password. Given newborn
        components, it asks for those only, and for a heartbeat after their birth: for a while their
        predecessors' look fine.
        """
        client = self.client()
        try:
            health = client.health()
            client.log_in()
        except ApiError as error:
            return f"the API server: {error}"
        for component, reported in COMPONENTS.items():
            if reported is None or (newborn and component not in newborn):
                continue
            about = health.get(reported) or {}
            if about.get("status") != "healthy":
                return f"the {component} is {about.get('status') or 'not there'}"
            beat = datetime.fromisoformat(about[f"latest_{reported}_heartbeat"])
            if newborn and beat < newborn[component]:
                return f"the {component} has not sent a heartbeat yet"
        return ""

    def _wait(self, problem: Callable[[], str], alive: list[str], timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while wrong := problem():
            self._roster.check(alive)
            if time.monotonic() > deadline:
                raise TimeoutError(f"Airflow is not ready after {timeout:.0f} s: {wrong}.")
            time.sleep(0.5)

    def _build_task_api(self, timeout: float) -> None:
        """Ask the API that tasks talk to once: the API server builds it at the first request, and answers nobody meanwhile."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with (
            contextlib.suppress(urllib.error.HTTPError),
            opener.open(f"{self.url}/execution/health/ping", timeout=timeout) as answer,
        ):
            answer.read()

    def _environment_of(self, name: str) -> dict[str, str]:
        """Return a component's environment.

        The API server (3.3.2) commits its access log on its event loop, while another request's open transaction
        waits for that very loop: nobody goes on until SQLite gives up waiting. So it gives up soon, and whoever
        asked asks again; the others wait for longer than that.
        """
        if name != "api-server":
            return self.environment
        return self.environment | {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database(self._layout, wait=2)}

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "airflow", *arguments]

    @property
    def _cwd(self) -> Path:
        return self._layout.project


def _entry(component: str) -> str:
    return f"airflow-{component}"
