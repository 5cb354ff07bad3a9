"""The local project: local cloud and Airflow together, as `make up` leaves them running.

python -m quickstart.project up | down
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from quickstart import interrupts, layout, ports, samples, seed, settings
from quickstart.airflow import Airflow
from quickstart.cloud import LocalCloud
from quickstart.layout import Layout
from quickstart.ports import Ports
from quickstart.roster import ProcessDiedError, Roster

Say = Callable[[str], None]
# What the rollouts need to be live; recurring refreshes stay paused until a person wants them.
UNPAUSED = ("shadow_rollout", "conclude_rollout", "shadow_janitor")


class BusyError(Exception):
    """Another driver works in this folder now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The processes of one run: what is started is on the roster, and stopped from there."""

    layout: Layout
    roster: Roster
    cloud: LocalCloud
    airflow: Airflow
    pools: tuple[settings.Pool, ...] = ()

    @classmethod
    def at(cls, where: Layout, chosen: Ports, *, parallelism: int = 4) -> Project:
        """Describe the project in this folder on these ports; nothing is started yet."""
        roster = Roster(where.processes, where.logs)
        cloud = LocalCloud(where, chosen, roster)
        file = settings.load(where.project / "airflow_settings.yaml")
        airflow = Airflow(
            where,
            chosen,
            roster,
            settings=file.environment(cloud_url=cloud.url),
            pools=file.pools,
            parallelism=parallelism,
        )
        return cls(layout=where, roster=roster, cloud=cloud, airflow=airflow, pools=file.pools)

    def unpause(self, *, timeout: float = 60.0) -> None:
        """Let rollouts run as soon as Airflow has parsed their DAGs; TimeoutError names what was not found."""
        client = self.airflow.client()

        def missing() -> list[str]:
            known = client.dag_ids()
            return [name for name in UNPAUSED if name not in known]

        def what() -> str:
            return f"Airflow did not parse {' and '.join(missing())}.\n" + "\n".join(client.import_errors())

        client.wait(lambda: not missing(), timeout=timeout, what=what)
        for name in UNPAUSED:
            client.unpause(name)


def stop_leftovers(where: Layout, say: Say) -> None:
    """Stop what an earlier driver that was killed has left running here."""
    roster = Roster(where.processes, where.logs)
    if left := roster.running():
        say(f"Stopping what an earlier run left behind: {', '.join(entry.name for entry in left)}.")
    roster.stop()


@contextmanager
def held(where: Layout) -> Iterator[None]:
    """Be the only driver of this folder; BusyError names the other. A killed driver holds nothing."""
    where.home.mkdir(parents=True, exist_ok=True)
    with where.lock.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise BusyError(
                f"Pid {lock.read() or 'unknown'} is already at work in {where.home}; wait for it or end it."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def wipe(where: Layout) -> None:
    """Remove everything an earlier run wrote here; the lock stays with its holder."""
    for path in where.home.iterdir():
        if path == where.lock:
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def up(say: Say) -> int:
    """Start the local project and leave it running; what runs already is left as it is."""
    where = layout.local()
    started = False

    def work() -> int:
        nonlocal started
        if running := _running(where):
            started = True
            _introduce(running, say)
            return 0
        stop_leftovers(where, say)
        begun = time.monotonic()
        chosen = ports.choose(say)
        project = Project.at(where, chosen)
        say("Starting the local cloud …")
        project.cloud.start()
        seed.seed(project.cloud, samples.prepare(where.samples))
        say("Starting Airflow …")
        project.airflow.start()
        project.unpause()
        _write_address(where, project, chosen)
        started = True
        say(f"Ready after {time.monotonic() - begun:.0f} s.")
        _introduce(json.loads(where.address.read_text()), say)
        return 0

    def cleanup() -> None:
        if not started:
            say("Stopping …")
            Roster(where.processes, where.logs).stop()

    with held(where):
        return interrupts.run_then(work, cleanup)


def down(say: Say) -> int:
    """Stop the local project, and whatever a demonstration that was killed left; safe to repeat."""
    for where in (layout.local(), layout.demo()):
        try:
            with held(where):
                Roster(where.processes, where.logs).stop()
                where.address.unlink(missing_ok=True)
        except BusyError as busy:
            say(str(busy))
    say("Nothing of the local project is running.")
    return 0


def address() -> dict[str, str]:
    """Return URLs, users and passwords of the project that runs; an empty one where none does."""
    return _running(layout.local())


def _running(where: Layout) -> dict[str, str]:
    if not where.address.exists():
        return {}
    known: dict[str, str] = json.loads(where.address.read_text())
    project = Project.at(where, Ports(**json.loads(known["ports"])))
    if project.cloud.healthy() and not project.airflow.unhealthy():
        return known
    return {}


def _write_address(where: Layout, project: Project, chosen: Ports) -> None:
    known = {
        "airflow": project.airflow.url,
        "admin": project.airflow.secrets.admin,
        "viewer": project.airflow.secrets.viewer,
        "cloud": project.cloud.url,
        "ports": json.dumps({name: getattr(chosen, name) for name in ports.LABELS}),
    }
    where.address.touch(mode=0o600)
    where.address.write_text(json.dumps(known, indent=1))


def _introduce(known: dict[str, str], say: Say) -> None:
    say(
        f"Airflow      {known['airflow']}  (admin / {known['admin']}, to look only: viewer / {known['viewer']})"
    )
    say(f"Local cloud  {known['cloud']}  (SageMaker, CloudWatch and S3; any credentials)")
    say("Stop both with: make down")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m quickstart.project", description=__doc__)
    parser.add_argument("command", choices=("up", "down"))
    command = parser.parse_args(arguments).command
    try:
        return up(_print) if command == "up" else down(_print)
    except (BusyError, ProcessDiedError, seed.SeedError, TimeoutError) as error:
        print(error, file=sys.stderr)
        return 1
    except interrupts.Interrupted as interrupted:
        return interrupted.exit_status


def _print(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
