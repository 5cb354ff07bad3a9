"""The demonstration: three rollouts on a local SageMaker, by a real Airflow, with the verdicts they must have.

    python -m quickstart.demo

It is a client: it triggers runs over Airflow's REST API as the UI would, and reads the ledger from the bucket.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.status import Status
from rich.table import Table

from include.rollout.names import rollout_id
from quickstart import interrupts, layout, ports, probe, project, samples, seed, settings
from quickstart.client import TERMINAL, AirflowClient, ApiError
from quickstart.layout import Layout
from quickstart.progress import news, standing
from quickstart.project import Project
from quickstart.record import Record
from quickstart.roster import ProcessDiedError, Roster

DAG = "shadow_rollout"
PATIENCE = 900.0  # seconds for one rollout; three times what it takes on an idle machine
LOOK = 1.0  # seconds between two looks


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One rollout of the demonstration, and how it must end."""

    spec: str  # under include/specs
    title: str
    end: str
    closed: str  # why its window must have closed


ACTS = (
    Act(spec="churn_healthy", title="a healthy newer model", end="PROMOTED", closed="end"),
    Act(
        spec="churn_failing",
        title="a model that fails 2 % of its requests",
        end="ROLLED_BACK",
        closed="abort",
    ),
    Act(spec="churn_slower", title="a model that takes 40 % longer", end="ROLLED_BACK", closed="abort"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How an act ended, read from its ledger."""

    act: Act
    rollout: str
    end: str  # as in the outcome, or the run's state where there is none
    closed: str
    gate: str
    reason: str
    variants: dict[str, dict[str, Any]]
    seconds: float
    phases: list[tuple[str, float]]
    report: Path | None

    @property
    def as_expected(self) -> bool:
        """Say whether the rollout ended as this act must."""
        return (self.end, self.closed) == (self.act.end, self.act.closed)


class Clock:
    """Where the time goes: named spans, in order."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, float]] = []

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """Add the time that the block takes."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.spans.append((name, time.monotonic() - begun))


class Demo:
    """The demonstration in one folder."""

    def __init__(self, where: Layout, console: Console, *, offset: float = probe.LIMIT) -> None:
        """`offset` is how far two equal variants may differ on this machine, as a fraction."""
        self._where = where
        self._offset = offset
        self._console = console
        self._clock = Clock()

    def run(self) -> int:
        """Start everything, run all acts, show what came of it; 0 only if every rollout ended as it must."""
        say = self._console.print
        project.stop_leftovers(self._where, say)
        project.wipe(self._where)
        say("[bold]Penumbra[/]: three shadow rollouts on this machine.")
        say(
            "The sample containers wait a declared service time (lognormal, median 12 ms) and time themselves, instead of "
            "burning it:\ntwo real 1 ms models on two shared cores differ by a fifth for being answered second."
        )
        running = self._start()
        results = [self._perform(running, act) for act in ACTS]
        self._show(results)
        return 0 if all(result.as_expected for result in results) else 1

    def stop(self) -> None:
        """End every process, whatever state things are in."""
        with self._clock.span("stop"):
            Roster(self._where.processes, self._where.logs).stop()

    def account(self) -> None:
        """Print where the time went, without what the rollouts themselves account for."""
        spent = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in self._clock.spans)
        total = sum(seconds for _, seconds in self._clock.spans)
        self._console.print(f"Where the time went: {spent}; {total / 60:.1f} minutes in all.")

    def _start(self) -> Project:
        chosen = ports.choose(self._console.print)
        running = Project.at(self._where, chosen)
        with self._clock.span("sample models"):
            made = samples.prepare(self._where.samples)
        with self._clock.span("local cloud"), self._busy("Starting the local cloud and its churn endpoint"):
            running.cloud.start()
            seed.seed(running.cloud, made)
        with (
            self._clock.span("A/A probe"),
            self._busy("Shadowing production with itself, to see what this machine does"),
        ):
            offset = probe.probe(running.cloud, made.replay.read_text().splitlines(), limit=self._offset)
        self._console.print(
            f"Two equal variants differ by {offset} here; more than {self._offset:.0%} would end this."
        )
        # The probe took a while: another program may have taken Airflow's ports meanwhile.
        running = Project.at(self._where, ports.choose(self._console.print, wanted=chosen, ours=["cloud"]))
        with self._clock.span("Airflow"), self._busy("Starting Airflow"):
            running.airflow.start()
            running.unpause()
        self._console.print(
            f"Airflow is at {running.airflow.url} until the end (user admin, password {running.airflow.secrets.admin})."
        )
        return running

    def _perform(self, running: Project, act: Act) -> Result:
        api = running.airflow.client()
        run = api.trigger(DAG, {"spec": act.spec})
        identity = rollout_id(DAG, run)
        record = Record(running.cloud.client("s3"), _ledger(running), identity)
        self._console.print(f"\n[bold]{act.title}[/] · {act.spec} · rollout {identity}")
        begun = time.monotonic()
        with self._clock.span(act.spec):
            state = self._follow(running, api, run, record)
        outcome, verdict = record.get("outcome") or {}, record.get("verdict") or {}
        report = record.get("report.json") or {}
        result = Result(
            act=act,
            rollout=identity,
            end=outcome.get("end") or f"run {state}",
            closed=verdict.get("closed") or "",
            gate=verdict.get("gate") or ("all passed" if verdict else ""),
            reason=outcome.get("reason") or "The rollout wrote no outcome.",
            variants=dict(report.get("variants") or {}),
            seconds=time.monotonic() - begun,
            phases=record.phases,
            report=self._keep(record, act),
        )
        colour = "green" if result.as_expected else "red"
        self._console.print(f"[bold {colour}]{result.end}[/]: {result.reason}", highlight=False)
        if not result.as_expected:
            self._explain(api, run)
        return result

    def _follow(self, running: Project, api: AirflowClient, run: str, record: Record) -> str:
        """Show the run as it goes on, until it is over; TimeoutError where it does not end."""
        deadline = time.monotonic() + PATIENCE
        known: dict[str, str | None] = {}
        with self._busy("waiting for the first task") as status:
            while True:
                state = str(api.run(DAG, run)["state"])
                tasks = api.states(DAG, run)
                for key in record.refresh():
                    for line in news(key, record):
                        self._console.print(f"  {line}", highlight=False, markup=False)
                for task, reached in tasks.items():
                    if reached != known.get(task) and reached in ("success", "failed"):
                        mark = "[green]✓[/]" if reached == "success" else "[red]✗[/]"
                        self._console.print(f"  {mark} {task.replace('[', '(').replace(']', ')')}")
                known = tasks
                if state in TERMINAL:
                    record.refresh()
                    return state
                status(standing(tasks, record))
                running.roster.check(_needed(running))
                if time.monotonic() > deadline:
                    raise TimeoutError(f"The rollout is not over after {PATIENCE:.0f} s: {tasks}.")
                time.sleep(LOOK)

    def _explain(self, api: AirflowClient, run: str) -> None:
        for task, state in api.states(DAG, run).items():
            if state == "failed" and "[" not in task:
                tail = api.log(DAG, run, task).splitlines()[-12:]
                self._console.print(f"The end of the log of {task}:\n" + "\n".join(tail), markup=False)

    def _keep(self, record: Record, act: Act) -> Path | None:
        """Copy the report out of the local bucket, which ends with the demonstration."""
        if (report := record.get("report.json")) is None:
            return None
        file = self._where.home / "reports" / f"{act.spec}-{record.rollout}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(report, indent=1))
        return file

    def _show(self, results: Sequence[Result]) -> None:
        table = Table(title="What came of it: production / shadow", title_justify="left")
        for column in ("rollout", "verdict", "deciding gate"):
            table.add_column(column, overflow="fold")
        for column in ("requests", "errors", "minutes"):
            table.add_column(column, justify="right", no_wrap=True)
        for result in results:
            verdict = (
                f"[green]{result.end}[/]"
                if result.as_expected
                else f"[red]{result.end}[/], not {result.act.end}"
            )
            table.add_row(
                result.act.spec,
                verdict,
                result.gate,
                _both(result, "invocations", ".0f"),
                _both(result, "error_rate", ".2%"),
                f"{result.seconds / 60:.1f}",
            )
        self._console.print(table)
        for result in results:
            phases = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in result.phases)
            self._console.print(f"{result.act.spec}: {phases}", highlight=False)
            if result.report:
                self._console.print(f"  report: {_short(result.report)}", highlight=False, soft_wrap=True)

    @contextmanager
    def _busy(self, text: str) -> Iterator[Callable[[str], None]]:
        """Show a line that changes, on a terminal; elsewhere say it once."""
        if not self._console.is_terminal:
            self._console.print(f"{text} …")
            yield lambda _: None
            return
        with Status(text, console=self._console) as status:
            yield status.update


def _both(result: Result, number: str, form: str) -> str:
    found = [result.variants.get(role, {}).get(number) for role in ("production", "shadow")]
    return " / ".join("-" if value is None else format(value, form) for value in found)


def _needed(running: Project) -> list[str]:
    return [entry.name for entry in running.roster.entries() if entry.name != "airflow-migrate"]


def _ledger(running: Project) -> str:
    file = settings.load(running.layout.project / "airflow_settings.yaml")
    return file.variables["penumbra_ledger"]


def _short(path: Path) -> str:
    return str(path.relative_to(layout.PROJECT)) if path.is_relative_to(layout.PROJECT) else str(path)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m quickstart.demo", description=__doc__)
    parser.add_argument(
        "--offset",
        type=float,
        default=100 * probe.LIMIT,
        metavar="PERCENT",
        help="how far two equal variants may differ on this machine before the demonstration refuses to go on (5)",
    )
    chosen = parser.parse_args(arguments)
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = 120  # a log file has no width of its own
    demo = Demo(layout.demo(), console, offset=chosen.offset / 100)

    def stop() -> None:
        console.print("Stopping …")
        demo.stop()

    try:
        with project.held(layout.demo()):
            status = interrupts.run_then(demo.run, stop)
        demo.account()
        return status
    except interrupts.Interrupted as interrupted:
        console.print(f"Ended by {interrupted}; nothing is left running.")
        return interrupted.exit_status
    except (
        project.BusyError,
        ProcessDiedError,
        seed.SeedError,
        probe.UnfitError,
        ApiError,
        TimeoutError,
    ) as error:
        console.print(str(error), style="red", markup=False)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
