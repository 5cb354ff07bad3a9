"""Rollouts that are killed beside one of their mutating AWS calls, and what must hold once someone took them up again.

Each rollout runs in a process of its own, which sends itself SIGKILL before or after the n-th call that changes
something on AWS. Then its tasks go on where they were killed, or the janitor settles it, or somebody else has changed
the endpoint meanwhile. The endpoint is light, and the cloud's time runs fast.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import uuid4

from botocore.config import Config

from include.aws import endpoints
from include.aws.clients import Clients, connect
from include.aws.scaling import deregister, targets
from include.ledger.objects import Kind, Ledger
from include.rollout.spec import Strategy
from include.rollout.verdict import End
from tests.integration.rollouts.conftest import Drive, document, make_endpoint, resources, scale, session
from tests.integration.rollouts.mortal import Kill, Log, Order, Way, perform

CLOCK = 20  # seconds of the cloud per second of the machine
PRODUCTION, CANDIDATE = "0.111111", "0.222222"
PATIENCE = 300.0  # seconds of the machine that one process may take


# The server that forks may lose the exit status of one that ends while another is killed; what that one noted tells.
_LOST = 255


class Care(StrEnum):
    """Who takes up a rollout that was killed."""

    AGAIN = "its tasks go on"
    JANITOR = "the janitor settles it"
    FOREIGN = "somebody changes the endpoint, then the janitor settles it"


@dataclass(frozen=True, kw_only=True)
class Point:
    """One point of the matrix."""

    way: Way
    operation: str  # the call that must be the n-th one
    kill: Kill
    care: Care
    strategy: Strategy = Strategy.SELF_SERVICE

    def __str__(self) -> str:
        when = "after" if self.kill.after else "before"
        return f"{self.strategy}, {self.way}, killed {when} call {self.kill.call} ({self.operation}), {self.care}"


@dataclass
class Caller:
    """A caller without retries: what it was answered, and what went wrong."""

    answers: set[str] = field(default_factory=set)
    answered: int = 0
    failures: list[str] = field(default_factory=list)


@contextmanager
def calling(url: str, endpoint: str) -> Iterator[Caller]:
    """Call the endpoint steadily until the block ends."""
    caller, done = Caller(), threading.Event()
    client = session().client(
        "sagemaker-runtime", endpoint_url=url, config=Config(retries={"total_max_attempts": 1})
    )

    def call() -> None:
        while not done.wait(0.05):
            try:
                answer = client.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body=b"1,2,3")
                caller.answers.add(answer["Body"].read().decode().strip())
                caller.answered += 1
            except Exception as error:
                caller.failures.append(str(error))

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    try:
        yield caller
    finally:
        done.set()
        thread.join(timeout=30)


@dataclass
class Trial:
    """One endpoint with a caller, and the rollout on it that dies and is taken up."""

    url: str
    folder: Path
    way: Way
    strategy: Strategy
    instance_type: str = "ml.m5.large"
    clients: Clients = field(init=False)
    endpoint: str = field(init=False)
    order: Order = field(init=False)

    def __post_init__(self) -> None:
        self.clients = connect(session(), {"": self.url})
        self.endpoint = make_endpoint(
            self.clients, environment={"LOCAL_ANSWER": PRODUCTION}, instance_type=self.instance_type
        )
        if self.way is Way.SCALED or self.way.is_handed:
            scale(self.clients, self.endpoint)
        self.folder = self.folder / self.endpoint
        self.folder.mkdir(parents=True)
        drive = {"spec": self.spec(), "folder": self.folder, "run_id": f"manual__{uuid4().hex}"}
        self.order = Order(url=self.url, drive=drive, way=self.way, log=self.folder / "killed.log")

    def spec(self) -> dict[str, Any]:
        """Return what is asked: nothing but the way decides how it goes."""
        environment = {"LOCAL_ANSWER": CANDIDATE} | (
            {"LOCAL_ERROR_SHARE": "0.7"} if self.way is Way.ABORT else {}
        )
        spec = document(self.endpoint, "", candidate={"environment": environment}, deploy_timeout=3600)
        del spec["replay"]
        spec["strategy"] = self.strategy.value
        spec["promotion"] = {"override": True, "watch": 1200 if self.way.is_reversed else 0}
        if self.way.is_handed:
            spec["promotion"]["by"] = "sagemaker"
        spec["window"] |= {"length": 1200, "maximum": 1200, "opening": 3600}
        spec["gates"] = {
            "abort_alpha": 0.2,
            "rules": [
                {"kind": "completeness"},
                {"kind": "min_sample", "requests": 5},
                {"kind": "error_rate", "absolute": 0.2},
            ],
        }
        return spec

    def run(self, order: Order) -> tuple[int | None, Log]:
        """Carry out an order in a process of its own; return its exit status and what it noted."""
        process = _context().Process(target=perform, args=(order,), daemon=True)
        process.start()
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
            process.join()
            return None, Log.read(order.log)
        return process.exitcode, Log.read(order.log)

    def calls(self) -> tuple[str, ...]:
        """Let the rollout go well and return its mutating calls."""
        with self.served() as caller:
            status, log = self.run(self.order)
            assert (status, log.end) == (0, self.way.end.value), (self.way, status, log)
            self.check(End(log.end), {})
            self._check_callers(caller)
        return log.calls

    def survive(self, point: Point) -> None:
        """Kill the rollout at a point, have it taken up, and check everything that must hold then."""
        with self.served() as caller:
            status, log = self.run(replace(self.order, kill=point.kill))
            assert status in (-signal.SIGKILL, _LOST), f"it was not killed: {status}, {log}"
            assert log.end is None, f"it was not killed: {log}"
            assert log.calls[-1] == point.operation, f"call {point.kill.call} is {log.calls[-1]} by now"
            ledger = self.drive().rollout.ledger
            before = documents(ledger)
            if point.care is Care.FOREIGN:
                self._change_endpoint()
            again = point.care is Care.AGAIN
            order = replace(self.order, first=log.step, janitor=not again, log=self.folder / "recovery.log")
            status, log = self.run(order)
            assert status in (0, _LOST), f"taking it up ended with {status}: {log}"
            assert log.end is not None, f"taking it up ended with {status}: {log}"
            end = End(log.end)
            allowed = {
                Care.AGAIN: {self.way.end},
                Care.JANITOR: {self.way.end, End.CRASHED}
                | ({End.PROMOTED} if self.way.is_reversed else set()),
                Care.FOREIGN: {End.FOREIGN_CHANGE},
            }[point.care]
            assert end in allowed, f"it ended {end}"
            self.check(end, before)
            self._check_callers(caller)

    def check(self, end: End, before: dict[str, Any]) -> None:
        """Assert the endpoint, the ledger, the lease, the registry, and that nothing is left behind."""
        rollout = self.drive().rollout
        ledger, baseline = rollout.ledger, rollout.baseline
        state = endpoints.describe(self.clients, self.endpoint)
        assert state is not None
        assert state.in_service
        assert state.shadow == ()
        served = endpoints.describe_config(self.clients, state.config)
        assert served is not None
        model = served["ProductionVariants"][0]["ModelName"]
        if end is End.PROMOTED:
            assert model == ledger.require(Kind.CANDIDATE)["model"]
            assert self.left() == sorted([state.config, model])
        else:
            serves = "theirs" if end is End.FOREIGN_CHANGE else "config"
            assert state.config == f"{self.endpoint}-{serves}"
            assert self.left() == []
        live = state.production[0]
        name = "shadow" if end is End.PROMOTED and self.way.is_handed else "production"
        assert (live.name, live.instance_count, live.weight) == (name, 1, baseline.weight)
        config = endpoints.describe_config(self.clients, baseline.config_name)
        assert config == baseline.config
        after = documents(ledger)
        assert {key: after[key] for key in before} == before, "something that was written has changed"
        assert after[Kind.OUTCOME]["end"] == end.value
        readings = [key for key in after if key.startswith(f"{Kind.FINDING}/")]
        assert len(readings) <= 1 + (Kind.EXTENSION in after)
        assert Kind.REPORT in after
        assert rollout.leases.current(self.endpoint) is None
        self._check_targets(name, end, baseline.scaling)
        self._check_packages(end)

    def left(self) -> list[str]:
        """List the models and endpoint configs that the rollout made and that still exist."""
        return resources(self.clients, self.drive().rollout.id)

    def _check_callers(self, caller: Caller) -> None:
        assert caller.failures == []
        assert caller.answered > 0
        assert caller.answers <= {PRODUCTION, CANDIDATE}
        if not self.way.is_promoted:
            assert caller.answers == {PRODUCTION}

    def _check_targets(self, serving: str, end: End, before: Sequence[Mapping[str, Any]]) -> None:
        """Assert that what serves scales as production did, and nothing else."""
        if end is End.FOREIGN_CHANGE:
            serving = "production"  # they left its name
        found = targets(self.clients, self.endpoint, serving)
        assert [bounds(target) for target in found] == [bounds(target) for target in before]
        other = "shadow" if serving == "production" else "production"
        assert targets(self.clients, self.endpoint, other) == ()

    def _check_packages(self, end: End) -> None:
        sagemaker = self.clients.sagemaker
        groups = sagemaker.list_model_package_groups(NameContains=self.endpoint)
        if not groups["ModelPackageGroupSummaryList"]:
            return
        found = sagemaker.list_model_packages(ModelPackageGroupName=self.endpoint)["ModelPackageSummaryList"]
        assert len(found) <= 1
        for summary in found:
            package = sagemaker.describe_model_package(ModelPackageName=summary["ModelPackageArn"])
            assert package["CustomerMetadataProperties"]["penumbra-outcome"] == end.value
            assert (package["ModelApprovalStatus"] == "Approved") is (end is End.PROMOTED)

    def _change_endpoint(self) -> None:
        """Move the endpoint to another config, as somebody else would, as soon as SageMaker lets anybody."""
        self._rest()
        for found in targets(self.clients, self.endpoint, "shadow"):  # else SageMaker removes no shadow
            deregister(self.clients, {"ServiceNamespace": "sagemaker", **found})
        config = self.clients.sagemaker.describe_endpoint_config(EndpointConfigName=f"{self.endpoint}-config")
        name = f"{self.endpoint}-theirs"
        self.clients.sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=config["ProductionVariants"]
        )
        self.clients.sagemaker.update_endpoint(EndpointName=self.endpoint, EndpointConfigName=name)
        self._rest()

    def _rest(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while (
            self.clients.sagemaker.describe_endpoint(EndpointName=self.endpoint)["EndpointStatus"]
            != "InService"
        ):
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def drive(self) -> Drive:
        """Return the rollout's steps, for this process."""
        return Drive(clients=self.clients, **self.order.drive)

    @contextmanager
    def served(self) -> Iterator[Caller]:
        """Give a caller whose traffic the plan sees; afterwards the endpoint is gone."""
        with calling(self.url, self.endpoint) as caller:
            deadline = time.monotonic() + PATIENCE
            while caller.answered < 3:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            time.sleep(61 / CLOCK)  # the plan looks at whole minutes
            yield caller
        self.clients.sagemaker.delete_endpoint(EndpointName=self.endpoint)


def bounds(target: Mapping[str, Any]) -> tuple[int, int, list[str]]:
    """Return within which bounds a target scales, and by which policies."""
    return (
        target["MinCapacity"],
        target["MaxCapacity"],
        [policy["PolicyName"] for policy in target["policies"]],
    )


def documents(ledger: Ledger) -> dict[str, dict[str, Any]]:
    return ledger.read_many(key for key in ledger.keys("") if key != Kind.REPORT_PAGE)


def survive_all(url: str, folder: Path, points: Sequence[Point], *, workers: int) -> list[str]:
    """Try every point, a few side by side; return what did not hold, a paragraph for each point."""

    def attempt(point: Point) -> str | None:
        try:
            Trial(url, folder, point.way, point.strategy).survive(point)
        except Exception as error:
            broken = f"{point}: {told(error)}"
            print(broken, file=sys.stderr)
            return broken
        return None

    with ThreadPoolExecutor(workers) as pool:
        broken = [found for found in pool.map(attempt, points) if found]
    print(f"crash matrix: {len(points)} points, {len(points) - len(broken)} held", file=sys.stderr)
    return broken


def told(error: Exception) -> str:
    """Tell an error in a line, with the line of code that raised it: nobody else says what an assertion was about."""
    raised = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({raised.name}: {raised.line})"


def recorded(url: str, folder: Path, strategy: Strategy, *, workers: int) -> dict[Way, tuple[str, ...]]:
    """Run each way once without killing anything and return its mutating calls."""
    ways = [way for way in Way if strategy is Strategy.MANAGED or not way.is_handed]
    with ThreadPoolExecutor(workers) as pool:
        found = pool.map(lambda way: Trial(url, folder, way, strategy).calls(), ways)
        return dict(zip(ways, found, strict=True))


def every_point(calls: dict[Way, tuple[str, ...]], strategy: Strategy) -> list[Point]:
    """Return all points of the matrix over the recorded calls.

    While a managed test runs nobody can update its endpoint, so there is no foreign change to try.
    """
    return [
        Point(way=way, operation=operation, kill=Kill(call=number, after=after), care=care, strategy=strategy)
        for way, operations in calls.items()
        for number, operation in enumerate(operations)
        for after in (False, True)
        for care in Care
        if care is not Care.FOREIGN or strategy is not Strategy.MANAGED
    ]


def _context() -> Any:
    """Return a way to start processes that have imported everything already: importing costs more than a rollout."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "include.gates.expectation", "include.report.page"])
    return context
