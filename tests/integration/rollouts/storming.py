"""Rollouts in a storm: faults that begin before a step, and what must hold whatever they do.

The steps run in this process, in the order of the graph, with what Airflow adds: settling is tried again, and what
cannot be settled is the janitor's once the storm is over. The endpoint is light, and the cloud's time runs fast.
"""

from __future__ import annotations

import queue
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from include.aws import endpoints
from include.ledger.objects import Kind
from include.rollout.errors import RolloutError
from include.rollout.spec import Strategy
from include.rollout.verdict import Action, Conclusion, End, Verdict
from include.steps.conclude import conclude
from include.steps.decide import decide
from include.steps.deploy import deploy_shadow
from include.steps.janitor import settle_dead
from include.steps.judge import settle_verdict
from include.steps.promote import promote
from include.steps.register import register
from include.steps.restore import roll_back
from include.steps.settle import settle
from tests.integration.rollouts.conftest import Drive, ask_local, promote_now
from tests.integration.rollouts.crashing import CANDIDATE, PRODUCTION, Caller, Trial, told
from tests.integration.rollouts.mortal import Way

SCALE = 40  # seconds of the cloud per second of the machine
TYPES = tuple(f"ml.{family}.{size}xlarge" for family in ("m5", "c5", "r5") for size in ("", 2, 4))
CANARY: Mapping[str, Any] = {"traffic": "canary", "step": 50, "wait": 60, "error_rate": 0.2}
_PLENTY = 1000
_SETTLINGS = 2  # of the rollout itself; the graph has more, and then there is the janitor

Fault = Mapping[str, Any]


class Step(StrEnum):
    """The tasks of the graph before which a fault can begin."""

    OPEN = "open"
    REGISTER = "register"
    DEPLOY = "deploy_shadow"
    WATCH = "monitor_window"
    JUDGE = "evaluate_gates"
    ACT = "promote or rollback"
    SETTLE = "settle"


@dataclass(frozen=True, kw_only=True)
class Storm:
    """A rollout, the faults that begin before its steps, and how it may end.

    `good` is the truth about the candidate. `said` is a person's word while the window is open; without one the gates
    decide. A capacity in a fault is counted in instances of the endpoint's own type.
    """

    name: str
    faults: Mapping[Step, Sequence[Fault]]
    ends: frozenset[End]
    good: bool = True
    said: Conclusion | None = None
    guardrails: Mapping[str, Any] | None = None
    strategy: Strategy = Strategy.SELF_SERVICE


@dataclass
class Stormy(Trial):
    """One endpoint with a caller, and the rollout on it that goes through a storm."""

    storm: Storm = field(kw_only=True)

    def spec(self) -> dict[str, Any]:
        """Return what is asked: a window of five minutes in which every request is copied."""
        spec = super().spec()
        spec["window"] |= {"length": 240, "maximum": 300, "opening": 400, "lag": 20}
        spec["gates"]["rules"][-1]["absolute"] = 0.4  # which a few dozen requests can tell from 0.7
        if self.storm.guardrails is not None:
            spec["promotion"]["guardrails"] = dict(self.storm.guardrails)
        return spec

    def weather(self) -> End | None:
        """Go through the storm and check everything that must hold; return the end, None if it never began."""
        with self.served() as caller:
            before = endpoints.describe_config(self.clients, f"{self.endpoint}-config")
            drive = self.drive()
            end = self._live(drive)
            self._calm()
            if drive.rollout.ledger.read(Kind.BASELINE) is None:
                self._untouched()
            else:
                self.check(end, {})
                assert drive.rollout.baseline.config == before
            self._check_verdict(drive)
            self._check_callers(caller)
        assert end is None or end in self.storm.ends, f"it ended {end}: {drive.lines[-8:]}"
        return end

    def _live(self, drive: Drive) -> End | None:
        """Run the tasks; one that fails leads to settling, as in the graph."""
        ledger = drive.rollout.ledger
        step = Step.OPEN
        try:
            for step, run in self._steps(drive):
                self._blow(step)
                run()
        except RolloutError as error:
            with suppress(RolloutError):
                drive.rollout.write(f"{Kind.FAILURE}/{step.name}", {"task": step.value, "reason": str(error)})
            if step is Step.OPEN:  # a teardown does not run without its setup
                self._calm()
                if ledger.read(Kind.OPEN) is None:
                    return None
                return settle_dead(drive.rollout, sleep=lambda _: time.sleep(0.2))
        self._blow(Step.SETTLE)
        for _ in range(_SETTLINGS):
            try:
                return End(drive.step(settle))
            except RolloutError as error:
                drive.lines.append(f"settling failed: {error}")
                time.sleep(0.5)
        self._calm()
        return settle_dead(drive.rollout, sleep=lambda _: time.sleep(0.2))

    def _steps(self, drive: Drive) -> Iterator[tuple[Step, Callable[[], Any]]]:
        def watch() -> None:
            if self.storm.said is Conclusion.PROMOTE:
                promote_now(drive)
            elif self.storm.said is not None:
                conclude(drive.rollout, self.storm.said, who="Ada", why="a test")
            drive.watch()

        def act() -> None:
            drive.step(promote if decide(drive.rollout) is Action.PROMOTE else roll_back)

        yield Step.OPEN, drive.open
        yield Step.REGISTER, lambda: register(drive.rollout)
        yield Step.DEPLOY, lambda: drive.step(deploy_shadow)
        yield Step.WATCH, watch
        yield Step.JUDGE, lambda: settle_verdict(drive.rollout)
        yield Step.ACT, act

    def _blow(self, step: Step) -> None:
        for fault in self.storm.faults.get(step, ()):
            own: dict[str, Any] = {}
            if "capacity" in fault:
                own["instance_type"] = self.instance_type
            elif "operation" not in fault:
                own["endpoint"] = self.endpoint
            ask_local(self.url, "POST", "faults", {**fault, **own})

    def _calm(self) -> None:
        """End what would hold up whoever cleans up; faults of calls end by themselves."""
        ask_local(self.url, "POST", "faults", {"capacity": _PLENTY, "instance_type": self.instance_type})
        ask_local(self.url, "POST", "faults", {"delay": 0, "endpoint": self.endpoint})

    def left(self) -> list[str]:
        """List what the rollout left, without configs that SageMaker made for a managed test whose stop then failed.

        Such a config is named nowhere once the update to it was refused; it costs nothing.
        """
        return [name for name in super().left() if f"{self.drive().rollout.id}-test-" not in name]

    def _untouched(self) -> None:
        state = endpoints.describe(self.clients, self.endpoint)
        assert state is not None
        assert (state.in_service, state.config, state.shadow) == (True, f"{self.endpoint}-config", ())

    def _check_verdict(self, drive: Drive) -> None:
        """A verdict is right or INCONCLUSIVE, and without metrics it is never PROMOTE."""
        found = drive.rollout.ledger.read(Kind.VERDICT)
        if found is not None:
            right = Verdict.PROMOTE if self.storm.good else Verdict.ROLL_BACK
            assert Verdict(found["verdict"]) in {right, Verdict.INCONCLUSIVE}, found

    def _check_callers(self, caller: Caller) -> None:
        """Whatever happens on the control plane, nobody who calls the endpoint sees it, unless its instances fail."""
        if not any("errors" in fault for faults in self.storm.faults.values() for fault in faults):
            assert caller.failures == []
        assert caller.answered > 0
        assert caller.answers <= {PRODUCTION, CANDIDATE}


def weather_all(url: str, folder: Path, storms: Sequence[Storm], *, workers: int) -> list[str]:
    """Go through every storm, a few side by side; return what did not hold, a paragraph for each storm."""
    types: queue.Queue[str] = queue.Queue()
    for kind in TYPES[:workers]:
        types.put(kind)

    def attempt(storm: Storm) -> str | None:
        kind = types.get()
        began = time.monotonic()
        try:
            way = Way.ABORT if not storm.good else Way.PROMOTE
            end = Stormy(url, folder, way, storm.strategy, kind, storm=storm).weather()
        except Exception as error:
            broken = f"{storm.name}: {told(error)}"
            print(broken, file=sys.stderr)
            return broken
        finally:
            types.put(kind)
        print(f"storm {storm.name}: {end} after {time.monotonic() - began:.1f} s", file=sys.stderr)
        return None

    with ThreadPoolExecutor(workers) as pool:
        return [found for found in pool.map(attempt, storms) if found]


def failing(operation: str, times: int, code: str = "ThrottlingException", status: int = 400) -> Fault:
    """Return the fault of an operation that answers an error so many times."""
    return {"operation": operation, "code": code, "status": status, "times": times}


def some_storm(seed: int) -> Storm:
    """Return a storm of one to four faults at random moments; the same seed is the same storm."""
    chance = random.Random(seed)
    good = chance.random() < 0.5
    said = chance.choice([None, None, Conclusion.REMOVE, *([Conclusion.PROMOTE] if good else [])])
    guarded = chance.random() < 0.3
    faults: dict[Step, list[Fault]] = {}
    for _ in range(chance.randint(1, 4)):
        faults.setdefault(chance.choice(list(Step)), []).append(_some_fault(chance))
    ends = {End.INCONCLUSIVE, End.CRASHED, End.REFUSED}
    if good and said is not Conclusion.REMOVE:
        ends |= {End.PROMOTED, *([End.ROLLED_BACK] if guarded else [])}  # by guardrails, not by the gates
    else:
        ends |= {End.ROLLED_BACK}
    return Storm(
        name=f"of seed {seed}",
        faults=faults,
        ends=frozenset(ends),
        good=good,
        said=said,
        guardrails=CANARY if guarded else None,
        strategy=chance.choice([Strategy.SELF_SERVICE, Strategy.SELF_SERVICE, Strategy.MANAGED]),
    )


def _some_fault(chance: random.Random) -> Fault:
    operation = chance.choice(
        [
            *("DescribeEndpoint", "UpdateEndpoint", "UpdateEndpoint", "CreateEndpointConfig", "CreateModel"),
            *("GetMetricData", "ListEndpoints", "CreateInferenceExperiment", "StopInferenceExperiment"),
            *("DeleteEndpointConfig", "DeleteModel", "PutMetricAlarm", "UpdateModelPackage"),
        ]
    )
    store = chance.choice(["PutObject", "GetObject", "ListObjectsV2"])
    faults: list[Fault] = [
        failing(operation, chance.choice([1, 3, 8])),
        failing(operation, chance.choice([1, 3, 8]), "InternalFailure", 500),
        failing(store, chance.choice([2, 10]), "SlowDown", 503),
        failing(store, chance.choice([2, 10]), "InternalError", 500),
        {"capacity": chance.choice([1, 2])},
        {"metrics": "drop"},
        {"metrics": "delay", "seconds": chance.choice([60, 300])},
        {"metrics": "gaps", "share": 0.5},
        {"delay": chance.choice([30, 120])},
    ]
    return chance.choice(faults)
