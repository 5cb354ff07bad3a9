"""A control plane without processes: the real front, S3 and SageMaker, and a runtime that only notes what it is told."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import HeadersDict
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from include.localcloud.clock import Clock
from include.localcloud.faults import Faults
from include.localcloud.front import Front, Service
from include.localcloud.http import Request, Respond, Response
from include.localcloud.local import LocalApi
from include.localcloud.protocol import Protocol
from include.localcloud.runtime.plan import FleetPlan, StartupError
from include.localcloud.s3.service import S3Service
from include.localcloud.s3.store import ObjectStore
from include.localcloud.sagemaker.service import SageMaker

SAGEMAKER = Protocol("sagemaker")
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.0-5"
ROLE = "arn:aws:iam::123456789012:role/serving"


class Refused(Exception):
    """What a client would have raised."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


class StillClock(Clock):
    """A clock that stands still unless moved, and whose sleeps move it."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        super().__init__()
        self.at = now

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds
        await asyncio.sleep(0)


class HeldClock(StillClock):
    """A clock that stands still until `advance`: sleepers wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[tuple[float, asyncio.Future[None]]] = []

    async def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self._waiting.append((self.at + seconds, asyncio.get_running_loop().create_future()))
            await self._waiting[-1][1]

    def advance(self, seconds: float) -> None:
        self.at += seconds
        for moment, sleeper in self._waiting:
            if moment <= self.at and not sleeper.done():
                sleeper.set_result(None)
        self._waiting = [waiting for waiting in self._waiting if not waiting[1].done()]


class NotedRuntime:
    """Stands in for the gateway: fleets are their plans, and every call is noted."""

    def __init__(self) -> None:
        self.notes: list[tuple[Any, ...]] = []
        self.serving: dict[str, FleetPlan] = {}
        self.beside: dict[str, FleetPlan] = {}
        self.failure: str | None = None  # the next prepare or resize fails with this reason
        self.gate = asyncio.Event()  # whatever takes its time waits for it
        self.gate.set()

    async def prepare(self, plan: FleetPlan) -> FleetPlan:
        await self.gate.wait()
        self._fail()
        self.notes.append(("prepare", plan.config))
        return plan

    def activate(self, fleet: FleetPlan) -> FleetPlan | None:
        previous = self.serving.get(fleet.endpoint)
        self.serving[fleet.endpoint] = fleet
        self.beside.pop(fleet.endpoint, None)
        self.notes.append(("activate", fleet.config))
        return previous

    def share(self, fleet: FleetPlan, share: float) -> None:
        self.beside[fleet.endpoint] = fleet
        self.notes.append(("share", fleet.config, round(share, 4)))

    def withdraw(self, endpoint: str) -> FleetPlan | None:
        return self.beside.pop(endpoint, None)

    async def scale(self, fleet: FleetPlan, variant: str, count: int) -> None:
        self._fail()
        self.notes.append(("scale", fleet.config, count))

    async def retire(self, fleet: FleetPlan) -> None:
        await self.gate.wait()
        self.notes.append(("retire", fleet.config))

    async def resize(self, endpoint: str, variant: str, count: int) -> None:
        await self.gate.wait()
        self._fail()
        self.notes.append(("resize", variant, count))

    def reweight(self, endpoint: str, variant: str, weight: float) -> None:
        self.notes.append(("reweight", variant, weight))

    def remove(self, endpoint: str) -> FleetPlan | None:
        return self.serving.pop(endpoint, None)

    def begin(self, endpoint: str, request: Request, respond: Respond) -> None:
        respond(Response(200, {}, endpoint.encode()))

    async def flush(self) -> None:
        self.notes.append(("flush",))

    def _fail(self) -> None:
        if self.failure is not None:
            reason, self.failure = self.failure, None
            raise StartupError(reason)


class ControlPlane:
    """Calls operations as a client would: serialised and parsed by botocore, enum, pattern and all."""

    def __init__(self, folder: Path, clock: StillClock | None = None) -> None:
        self.folder = folder
        self.runner = asyncio.Runner()
        self.clock = clock or StillClock()
        self.faults = Faults()
        self.alarm: Callable[[str], str | None] = lambda name: None  # the state of an alarm, now
        self.runtime = self.run(self._runtime())
        self.store = ObjectStore(folder / "s3", self.clock)
        self.sagemaker = SageMaker(
            folder / "sagemaker",
            runtime=self.runtime,
            objects=self.store,
            clock=self.clock,
            faults=self.faults,
            alarm_state=self._alarm_state,
        )
        self.s3 = S3Service(self.store, self.runtime.flush, self.faults)
        self.local = LocalApi(self.faults, dict, self.clock)
        self.front = Front(
            gateway=self.runtime,
            services=[Service.of(SAGEMAKER, self.sagemaker.parts)],
            s3=self.s3,
            local=self.local,
            others=self.s3,
            faults=self.faults,
            clock=self.clock,
        )

    async def _runtime(self) -> NotedRuntime:
        return NotedRuntime()

    def _alarm_state(self, name: str) -> str | None:
        return self.alarm(name)

    def run(self, awaitable: Any) -> Any:
        return self.runner.run(awaitable)

    def close(self) -> None:
        self.run(self.sagemaker.close())
        self.store.close()
        self.runner.close()

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """Return the parsed result of an operation; raise Refused for an error."""
        model = SAGEMAKER.service_model.operation_model(operation)
        sent = create_serializer("json", include_validation=False).serialize_to_request(params, model)
        return self.raw(operation, sent["body"])

    def raw(self, operation: str, body: bytes | dict[str, Any]) -> dict[str, Any]:
        """Return the parsed result for a body that no client of ours would send."""
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"x-amz-target": f"SageMaker.{operation}", "content-type": "application/x-amz-json-1.1"}
        response: Response = self.run(self.front.handle(Request("POST", "/", "", headers, text)))
        shape = SAGEMAKER.service_model.operation_model(operation).output_shape
        whole = {
            "status_code": response.status,
            "headers": HeadersDict(response.headers),
            "body": response.body,
        }
        parsed: dict[str, Any] = create_parser("json").parse(whole, shape)
        if response.status >= 300:
            raise Refused(parsed["Error"]["Code"], parsed["Error"]["Message"], response.status)
        del parsed["ResponseMetadata"]
        return parsed

    def settle(self) -> None:
        """Return when no transition is under way."""

        async def wait() -> None:
            while tasks := list(self.sagemaker.transitions._tasks.values()):
                await asyncio.gather(*tasks)

        self.run(wait())

    def quiet(self) -> None:
        """Return when everything waits for the clock: what is under way has come as far as it can."""

        async def wait() -> None:
            while True:
                for _ in range(30):
                    await asyncio.sleep(0)
                tasks = list(self.sagemaker.transitions._tasks.values())
                if not tasks:
                    return
                await asyncio.gather(*tasks)

        self.run(wait())

    def advance(self, seconds: float) -> None:
        """Let a held clock go on, and everything that waited for it."""
        self.clock.advance(seconds)
        self.quiet()

    # what most tests begin with

    def model(self, name: str = "m", **container: Any) -> None:
        if self.store._index.bucket("models") is None:
            self.store.create_bucket("models", "us-east-1")
        self.run(self.store.put("models", f"{name}.tar.gz", name.encode()))
        primary = {"Image": IMAGE, "ModelDataUrl": f"s3://models/{name}.tar.gz"} | container
        self.call("CreateModel", ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=primary)

    def config(
        self, name: str, *variants: dict[str, Any], shadow: dict[str, Any] | None = None, **more: Any
    ) -> None:
        params: dict[str, Any] = {"EndpointConfigName": name, "ProductionVariants": list(variants), **more}
        if shadow is not None:
            params["ShadowProductionVariants"] = [shadow]
        self.call("CreateEndpointConfig", **params)

    def endpoint(self, name: str = "e") -> dict[str, Any]:
        return self.call("DescribeEndpoint", EndpointName=name)


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    plane = ControlPlane(tmp_path)
    yield plane
    plane.close()


@pytest.fixture
def held(tmp_path: Path) -> Iterator[ControlPlane]:
    """A control plane whose clock stands still until it is told to go on."""
    plane = ControlPlane(tmp_path, HeldClock())
    yield plane
    plane.close()


@pytest.fixture
def refused() -> type[Refused]:
    return Refused
