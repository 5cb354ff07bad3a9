"""Two rollouts and a stranger race for one endpoint, and every UpdateEndpoint of ours is questioned."""

from __future__ import annotations

import random
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from include.aws import endpoints
from include.aws.clients import Clients, connect
from include.rollout.errors import ForeignChangeError, RefusedError
from include.rollout.verdict import End
from include.steps.deploy import deploy_shadow
from include.steps.register import register
from include.steps.settle import settle
from tests.integration.rollouts.conftest import Drive, document, make_endpoint, resources, session

_PATIENCE = 120.0  # seconds


@dataclass
class Runner:
    """One of the two rollouts: opens, deploys its shadow, and is settled as if its run had been marked failed."""

    url: str
    spec: dict[str, Any]
    folder: Path
    delay: float  # seconds before it starts
    updates: list[tuple[float, bool]] = field(
        default_factory=list
    )  # (when it last looked, was the lease its own)
    end: End | None = None
    failure: BaseException | None = None
    _looked: float = 0.0

    def __post_init__(self) -> None:
        own = session()
        own.events.register("before-call.sagemaker.DescribeEndpoint", self._looks)
        own.events.register("before-call.sagemaker.UpdateEndpoint", self._updates)
        self.drive = Drive(
            clients=connect(own, {"": self.url}),
            spec=self.spec,
            folder=self.folder,
            owner_is_over=lambda lease: False,  # nobody here dies
        )
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _looks(self, **_: Any) -> None:
        self._looked = time.monotonic()

    def _updates(self, **_: Any) -> None:
        rollout = self.drive.rollout
        holder = rollout.leases.current(rollout.baseline.endpoint)
        self.updates.append((self._looked, holder is not None and holder.owner == rollout.id))

    def _run(self) -> None:
        time.sleep(self.delay)
        try:
            self.drive.open()
            try:
                register(self.drive.rollout)
                self.drive.step(deploy_shadow)
            except ForeignChangeError:
                pass  # settling says so
            self.end = self.drive.step(settle)
        except RefusedError:
            self.end = End(self.drive.rollout.ledger.require("outcome")["end"])
        except BaseException as error:
            self.failure = error


def race(url: str, folder: Path, seed: int) -> set[End]:
    """Let them race once and assert what must hold whoever wins; return how the rollouts ended."""
    chance = random.Random(seed)
    clients = connect(session(), {"": url})
    endpoint = make_endpoint(clients)
    source = folder / "requests.csv"
    source.write_text("1,2,3\n")
    spec = document(endpoint, str(source))
    runners = [Runner(url=url, spec=spec, folder=folder, delay=chance.uniform(0, 0.5)) for _ in range(2)]
    for runner in runners:
        runner.thread.start()
    time.sleep(chance.uniform(0, 4))
    changed = _stranger(clients, endpoint)
    for runner in runners:
        runner.thread.join(_PATIENCE)
        assert not runner.thread.is_alive()
        assert runner.failure is None, runner.failure
        assert runner.end in {End.REFUSED, End.CRASHED, End.FOREIGN_CHANGE}
        assert all(own for _, own in runner.updates), "an update without the lease"
        if runner.updates and runner.drive.rollout.baseline.config_name != f"{endpoint}-theirs":
            late = [looked for looked, _ in runner.updates if looked > changed]
            assert late == [], "it saw the stranger's change, and updated the endpoint all the same"
        assert resources(clients, runner.drive.rollout.id) == []
    assert runners[0].drive.rollout.leases.current(endpoint) is None
    state = endpoints.describe(clients, endpoint)
    assert state is not None
    assert (state.in_service, state.config, state.shadow) == (True, f"{endpoint}-theirs", ())
    clients.sagemaker.delete_endpoint(EndpointName=endpoint)
    return {runner.end for runner in runners if runner.end is not None}


def _stranger(clients: Clients, endpoint: str) -> float:
    """Move the endpoint to a config of their own as soon as SageMaker lets them; return when it was accepted."""
    config = clients.sagemaker.describe_endpoint_config(EndpointConfigName=f"{endpoint}-config")
    name = f"{endpoint}-theirs"
    clients.sagemaker.create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=config["ProductionVariants"]
    )
    deadline = time.monotonic() + _PATIENCE
    accepted = False
    while not accepted:
        assert time.monotonic() < deadline
        with suppress(ClientError):  # an update is under way; strangers are stubborn
            clients.sagemaker_once.update_endpoint(EndpointName=endpoint, EndpointConfigName=name)
            accepted = True
        time.sleep(0.02)
    changed = time.monotonic()
    clients.sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=endpoint, WaiterConfig={"Delay": 1})
    return changed
