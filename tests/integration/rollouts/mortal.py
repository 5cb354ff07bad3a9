"""A process that runs the tasks of one rollout and sends itself SIGKILL beside the n-th call that changes something."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from include.aws.clients import connect
from include.rollout.verdict import Action, Conclusion, End
from include.steps.conclude import conclude
from include.steps.decide import decide
from include.steps.deploy import deploy_shadow
from include.steps.janitor import settle_dead
from include.steps.judge import settle_verdict
from include.steps.promote import promote
from include.steps.register import register
from include.steps.restore import roll_back
from include.steps.settle import settle
from include.steps.watch import is_watching
from tests.integration.rollouts.conftest import Drive, promote_now, session

_READS = ("Describe", "List", "Get", "BatchDescribe", "BatchGet")


class Way(StrEnum):
    """How a rollout goes when nobody kills it."""

    PROMOTE = "promote"  # a person overrides an inconclusive verdict
    SCALED = "promote beside a scaling production"  # as promote, with a shadow that scales too
    ROLL_BACK = "roll back"  # a person removes the shadow
    ABORT = "abort"  # the evidence is against the candidate
    TAKEN_BACK = "taken back"  # promoted, and removed by a person while it was watched
    HANDED_OVER = "handed over"  # as promote, by SageMaker's own Promote of a managed test
    HANDED_BACK = "handed back"  # as taken back, by SageMaker's own Promote
    MARK_FAILED = "mark failed"  # settled without a decision, as when a person marks the run failed

    @property
    def end(self) -> End:
        """Return how it ends."""
        if self is Way.MARK_FAILED:
            return End.CRASHED
        return End.PROMOTED if self.is_promoted and not self.is_reversed else End.ROLLED_BACK

    @property
    def is_promoted(self) -> bool:
        """Say whether the candidate comes to serve, be it for a while."""
        return self.is_handed or self in (Way.PROMOTE, Way.SCALED, Way.TAKEN_BACK)

    @property
    def is_handed(self) -> bool:
        """Say whether SageMaker itself promotes, which only a managed test lets it do."""
        return self in (Way.HANDED_OVER, Way.HANDED_BACK)

    @property
    def is_reversed(self) -> bool:
        """Say whether the promotion is taken back while it is watched."""
        return self in (Way.TAKEN_BACK, Way.HANDED_BACK)


@dataclass(frozen=True, kw_only=True)
class Kill:
    """Where a process dies: at the n-th mutating call (from 0), before it is sent or after it was answered."""

    call: int
    after: bool


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a process is to do: run the steps from the `first` on, or settle, and die where `kill` says."""

    url: str
    drive: dict[str, Any]
    way: Way
    log: Path
    first: int = 0
    janitor: bool = False
    kill: Kill | None = None


def perform(order: Order) -> None:
    """Carry out an order in this process, noting each step and each mutating call in the order's log."""
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    with order.log.open("a", buffering=1) as log:
        mutations = 0

        def strike(*, after: bool, operation: str) -> None:
            nonlocal mutations
            if operation.startswith(_READS):
                return
            if not after:
                log.write(f"call {operation}\n")
            if order.kill == Kill(call=mutations, after=after):
                os.kill(os.getpid(), signal.SIGKILL)
            mutations += after

        own = session()
        own.events.register("before-call", lambda model, **_: strike(after=False, operation=model.name))
        own.events.register("after-call", lambda model, **_: strike(after=True, operation=model.name))
        drive = Drive(clients=connect(own, {"": order.url}), **order.drive)
        if order.janitor:
            end = settle_dead(drive.rollout, sleep=lambda _: time.sleep(0.2))
        else:
            steps = _steps(drive, order.way)
            for number, step in enumerate(steps[order.first :], order.first):
                log.write(f"step {number}\n")
                end = step()
        log.write(f"end {end}\n")


def _steps(drive: Drive, way: Way) -> list[Callable[[], Any]]:
    """Return the tasks of a rollout in their order; each may be run again."""

    def watch() -> None:
        if way.is_promoted:
            promote_now(drive)
        elif way is Way.ROLL_BACK:
            conclude(drive.rollout, Conclusion.REMOVE, who="Ada", why="a test")
        drive.watch()

    def act() -> None:
        drive.step(promote if decide(drive.rollout) is Action.PROMOTE else roll_back)

    def look_after() -> None:
        if way.is_reversed and is_watching(drive.rollout):
            conclude(drive.rollout, Conclusion.REMOVE, who="Ada", why="a test")
        drive.look_after()

    begin = [drive.open, lambda: register(drive.rollout), lambda: drive.step(deploy_shadow)]
    judged = [watch, lambda: settle_verdict(drive.rollout), act, look_after]
    return [*begin, *([] if way is Way.MARK_FAILED else judged), lambda: drive.step(settle)]


@dataclass(frozen=True, kw_only=True)
class Log:
    """What a process noted."""

    calls: tuple[str, ...]
    step: int  # the last that it began
    end: str | None

    @classmethod
    def read(cls, file: Path) -> Log:
        noted = [line.split(" ", 1) for line in file.read_text().splitlines()]
        said = {kind: [rest for first, rest in noted if first == kind] for kind in ("call", "step", "end")}
        return cls(
            calls=tuple(said["call"]),
            step=int(said["step"][-1]) if said["step"] else 0,
            end=said["end"][-1] if said["end"] else None,
        )
