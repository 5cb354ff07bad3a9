"""A gateway over real instance processes, its clock in the test's hands."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import uvloop

from include.localcloud.clock import Clock
from include.localcloud.cloudwatch.samples import Samples
from include.localcloud.cloudwatch.store import Key, MetricStore
from include.localcloud.http import Request, Response
from include.localcloud.runtime.gateway import Gateway
from include.localcloud.runtime.plan import CapturePlan, FleetPlan, VariantPlan

T = TypeVar("T")


class HandClock(Clock):
    """Epoch time stands still until the test moves it."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 1_800_000_000.0

    def now(self) -> float:
        return self.time


class Objects:
    """Keeps what is put."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], bytes] = {}

    async def put(self, bucket: str, key: str, body: bytes) -> None:
        self.held[bucket, key] = body


def alive(pid: int) -> bool:
    """Say whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class World:
    """What a test of the data plane needs."""

    def __init__(self, folder: Path) -> None:
        self.clock = HandClock()
        self.metrics = MetricStore(self.clock)
        self.objects = Objects()
        self.gateway = Gateway(
            metrics=self.metrics, objects=self.objects, workdir=folder / "runtime", clock=self.clock
        )

    @staticmethod
    def light(
        name: str = "live", *, count: int = 1, weight: float = 1.0, shadow: bool = False, **env: Any
    ) -> VariantPlan:
        return VariantPlan(
            name=name,
            image="penumbra/light:1",
            model_data=None,
            environment={key: str(value) for key, value in env.items()},
            instance_type="ml.m5.large",
            instance_count=count,
            weight=weight,
            shadow=shadow,
            startup_timeout=30.0,
        )

    def shadow(self, **options: Any) -> VariantPlan:
        return self.light("shadow", shadow=True, **options)

    async def serve(
        self,
        *variants: VariantPlan,
        config: str = "config-1",
        capture: CapturePlan | None = None,
        frequency: int = 60,
        enhanced: bool = False,
    ) -> Any:
        fleet = await self.gateway.prepare(
            FleetPlan(
                endpoint="churn",
                config=config,
                variants=variants,
                capture=capture,
                metrics_frequency=frequency,
                enhanced_metrics=enhanced,
            )
        )
        self.gateway.activate(fleet)
        return fleet

    async def invoke(self, body: bytes = b"1,2,3", endpoint: str = "churn", **headers: str) -> Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        path = f"/endpoints/{endpoint}/invocations"
        answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        request = Request("POST", path, "", {"content-type": "text/csv", **named}, body)
        self.gateway.begin(endpoint, request, answered.set_result)
        return await answered

    def counts(self, variant: str) -> dict[str, Any]:
        listed = self.gateway.counts()["churn"]["variants"]
        return next(each for each in listed if each["variant"] == variant)

    def pids(self) -> list[int]:
        variants = [variant for fleet in self.gateway.counts().values() for variant in fleet["variants"]]
        return [instance["pid"] for variant in variants for instance in variant["instances"]]

    def metric(self, name: str, variant: str, config: str = "") -> dict[int, Samples]:
        own = (("EndpointName", "churn"), ("VariantName", variant))
        dimensions = (("EndpointConfigName", config), *own) if config else own
        return self.metrics.read(Key("AWS/SageMaker", name, dimensions), start=0.0, end=4e9, period=10)


async def until(condition: Callable[[], bool]) -> None:
    """Wait, bounded by the test's own timeout, until something becomes true."""
    while not condition():
        await asyncio.sleep(0.005)


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Callable[[World], Awaitable[T]]], T]:
    """Run a scenario against a fresh gateway; afterwards none of its processes may be left."""

    def run(scenario: Callable[[World], Awaitable[T]]) -> T:
        async def main() -> T:
            world = World(tmp_path)
            try:
                return await scenario(world)
            finally:
                pids = world.pids()
                await world.gateway.close()
                assert not [pid for pid in pids if pid is not None and alive(pid)]

        return uvloop.run(main())

    return run


@pytest.fixture
def is_alive() -> Callable[[int], bool]:
    return alive


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    return until
