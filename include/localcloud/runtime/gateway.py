"""The front of all endpoints: invoke production, copy to the shadow, account for both, swap fleets."""

import asyncio
import random
import shutil
import tempfile
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from include.localcloud.clock import Clock
from include.localcloud.cloudwatch.recorder import InvocationRecorder
from include.localcloud.cloudwatch.store import MetricStore
from include.localcloud.http import Request, Response
from include.localcloud.runtime.capture import CaptureWriter, Exchange, ObjectWriter
from include.localcloud.runtime.connection import ExchangeError, Reply
from include.localcloud.runtime.container.server import LATENCY_HEADER
from include.localcloud.runtime.disturbance import Disturbances
from include.localcloud.runtime.fleet import Fleet
from include.localcloud.runtime.instance import Instance
from include.localcloud.runtime.invocation import Invocation, check_name, read
from include.localcloud.runtime.plan import FleetPlan
from include.localcloud.runtime.process import STOP_SECONDS, Workspace
from include.localcloud.runtime.refusal import (
    InvocationError,
    model_error,
    unavailable,
    unknown_endpoint,
    validation,
)
from include.localcloud.runtime.usage import UsageMeter
from include.localcloud.runtime.variant import Variant

MODEL_SECONDS = 60.0  # a model must answer within this time
_LATENCY = LATENCY_HEADER.encode()
_ATTRIBUTES = b"x-amzn-sagemaker-custom-attributes"
_LONGEST_SOCKET = 90  # characters; the kernel's limit for a unix socket's path is 108, macOS's 104


class Gateway:
    """Every request stays with the fleet it began on, and no caller sees or waits for a shadow."""

    def __init__(
        self,
        *,
        metrics: MetricStore,
        objects: ObjectWriter,
        workdir: Path,
        clock: Clock,
        account: str = "123456789012",
        region: str = "us-east-1",
    ) -> None:
        self._metrics, self._clock = metrics, clock
        self._capture = CaptureWriter(objects, clock)
        self._account, self._region = account, region
        self._fleets: dict[str, Fleet] = {}
        self._beside: dict[str, tuple[Fleet, float]] = {}  # a new fleet that takes a share of the traffic
        self._alive: dict[Fleet, asyncio.Task[None] | None] = {}  # with what meters its processes
        self._chance = random.Random()
        self.disturbances = Disturbances()
        self._serial = count(1)
        self._workdir = workdir.resolve()
        # What an earlier process left: its instances died with it.
        shutil.rmtree(self._workdir / "instances", ignore_errors=True)
        short = len(str(self._workdir / "s")) <= _LONGEST_SOCKET
        self._sockets = self._workdir / "s" if short else Path(tempfile.mkdtemp(prefix="localcloud-"))
        shutil.rmtree(self._sockets, ignore_errors=True)
        self._sockets.mkdir(parents=True, mode=0o700)

    async def prepare(self, plan: FleetPlan) -> Fleet:
        """Return a fleet whose instances all answer /ping; raise StartupError with none of them left."""
        fleet = Fleet(
            plan,
            workspaces=self._workspace,
            recorders=self._recorder,
            timeout=MODEL_SECONDS,
            chance=self._chance,
            disturbances=self.disturbances,
        )
        self._alive[fleet] = None
        try:
            await fleet.start()
        except BaseException:
            self._alive.pop(fleet, None)
            fleet.close()
            raise
        self._alive[fleet] = asyncio.create_task(UsageMeter(fleet, self._metrics, self._clock).run())
        return fleet

    def activate(self, fleet: Fleet) -> Fleet | None:
        """Send every new request to this fleet; return the one that served before."""
        previous = self._fleets.get(fleet.plan.endpoint)
        self._fleets[fleet.plan.endpoint] = fleet
        self._beside.pop(fleet.plan.endpoint, None)
        return previous

    def share(self, fleet: Fleet, share: float) -> None:
        """Send this share of new requests to a fleet beside the one that serves its endpoint."""
        self._beside[fleet.plan.endpoint] = (fleet, share)

    def withdraw(self, endpoint: str) -> Fleet | None:
        """Send every new request to the fleet that serves; return the one beside it, if there was one."""
        beside = self._beside.pop(endpoint, None)
        return None if beside is None else beside[0]

    async def scale(self, fleet: Fleet, variant: str, count: int) -> None:
        """Return when a fleet's variant has `count` instances, whether it serves or not; raises StartupError."""
        await fleet.resize(variant, count)

    async def retire(self, fleet: Fleet) -> None:
        """Return when the fleet's requests are answered (bounded by the model's limit) and its processes gone."""
        await fleet.settled(MODEL_SECONDS + 5.0)
        await self._stop(fleet, STOP_SECONDS)

    async def resize(self, endpoint: str, variant: str, count: int) -> None:
        """Return when the variant has `count` instances; raises KeyError, StartupError."""
        await self._fleets[endpoint].resize(variant, count)

    def reweight(self, endpoint: str, variant: str, weight: float) -> None:
        """Change a variant's weight for the next request; raises KeyError."""
        self._fleets[endpoint].variant(variant).weight = weight

    def remove(self, endpoint: str) -> Fleet | None:
        """Stop routing to the endpoint; return its fleet, which still has to be retired."""
        self._beside.pop(endpoint, None)
        return self._fleets.pop(endpoint, None)

    def crash(self, endpoint: str, variant: str, count: int) -> None:
        """Kill `count` ready instances of the variant, each of which comes back; raise KeyError, ValueError."""
        ready = [each for each in self._fleets[endpoint].variant(variant).instances if each.ready]
        if count > len(ready):
            raise ValueError(
                f"crash is {count}; variant {variant} of {endpoint} has {len(ready)} ready instances"
            )
        for instance in ready[:count]:
            instance.crash()

    def counts(self) -> dict[str, Any]:
        """Return, per endpoint, what its active fleet has served, mirrored and shed, with its instances."""
        counts = {endpoint: fleet.counts() for endpoint, fleet in self._fleets.items()}
        for endpoint, (fleet, share) in self._beside.items():
            counts[endpoint]["beside"] = {"share": share, **fleet.counts()}
        return counts

    async def flush(self) -> None:
        """Publish the metric periods that are over, and store what was captured so far."""
        self._metrics.settle()
        await self._capture.flush()

    async def close(self) -> None:
        """Return when every instance of every fleet is gone and captures are stored."""
        self._fleets.clear()
        self._beside.clear()
        await asyncio.gather(*(self._end(fleet) for fleet in tuple(self._alive)))
        await self.flush()
        shutil.rmtree(self._sockets, ignore_errors=True)

    async def invoke(self, endpoint: str, request: Request) -> Response:
        """Answer as InvokeEndpoint does, errors included; never raises (but for a cancelled caller)."""
        started = self._clock.monotonic()
        try:
            fleet = self._fleets.get(endpoint)
            if fleet is None:
                check_name(endpoint)
                raise unknown_endpoint(endpoint, self._account)
            if endpoint in self._beside and self._chance.random() < self._beside[endpoint][1]:
                fleet = self._beside[endpoint][0]
            invocation = read(endpoint, request)
            variant = self._route(fleet, invocation)
            fleet.in_flight += 1
            try:
                return await self._serve(fleet, variant, invocation, started)
            finally:
                fleet.in_flight -= 1
        except InvocationError as refusal:
            return refusal.response()

    def _route(self, fleet: Fleet, invocation: Invocation) -> Variant:
        name = invocation.target_variant
        if not name:
            return fleet.choose()
        for variant in fleet.production:
            if variant.plan.name == name:
                return variant
        # That a shadow cannot be addressed is our decision; AWS documents neither answer.
        names = ", ".join(variant.plan.name for variant in fleet.production)
        raise validation(
            f"Variant {name} is not a production variant of endpoint {fleet.plan.endpoint}: {names}."
        )

    async def _serve(
        self, fleet: Fleet, variant: Variant, invocation: Invocation, started: float
    ) -> Response:
        plan = fleet.plan
        captured = plan.capture is not None and self._chance.random() * 100 < plan.capture.percentage
        instance = variant.pick()
        future = instance.begin(invocation.payload, MODEL_SECONDS) if instance is not None else None
        for mirror in fleet.shadows(variant):
            mirror.offer(
                invocation.payload, partial(self._mirrored, fleet, mirror.variant, invocation, captured)
            )
        if instance is None or future is None:
            raise unavailable()
        try:
            reply = await future
        except ExchangeError as error:
            lost = (self._clock.monotonic() - started) * 1e6
            variant.account(instance, status=0, latency=lost, whole=lost)
            raise self._model_error(plan.endpoint, 0, str(error)) from error
        self._account_for(variant, instance, reply, started)
        if not 200 <= reply.status < 300:
            raise self._model_error(plan.endpoint, reply.status, reply.body.decode(errors="replace"))
        if captured:
            self._record(fleet, variant, invocation, reply)
        headers = {
            "Content-Type": reply.headers.get(b"content-type", b"").decode("latin-1"),
            "x-Amzn-Invoked-Production-Variant": variant.plan.name,
        }
        if _ATTRIBUTES in reply.headers:
            headers["X-Amzn-SageMaker-Custom-Attributes"] = reply.headers[_ATTRIBUTES].decode("latin-1")
        return Response(reply.status, headers, reply.body)

    def _mirrored(
        self,
        fleet: Fleet,
        variant: Variant,
        invocation: Invocation,
        captured: bool,
        instance: Instance,
        started: float,
        future: asyncio.Future[Reply],
    ) -> None:
        """Account for a shadow's answer; that is all that ever happens with it."""
        if future.cancelled():
            return
        if future.exception() is not None:
            lost = (self._clock.monotonic() - started) * 1e6
            variant.account(instance, status=0, latency=lost, whole=lost)
            return
        reply = future.result()
        self._account_for(variant, instance, reply, started)
        if captured and 200 <= reply.status < 300:
            self._record(fleet, variant, invocation, reply)

    def _account_for(self, variant: Variant, instance: Instance, reply: Reply, started: float) -> None:
        whole = (self._clock.monotonic() - started) * 1e6
        timed = reply.headers.get(_LATENCY)
        latency = float(timed) if timed else whole
        variant.account(instance, status=reply.status, latency=latency, whole=whole)

    def _record(self, fleet: Fleet, variant: Variant, invocation: Invocation, reply: Reply) -> None:
        assert fleet.plan.capture is not None
        exchange = Exchange(
            input_type=invocation.content_type,
            input=invocation.body,
            output_type=reply.headers.get(b"content-type", b"").decode("latin-1"),
            output=reply.body,
            inference_id=invocation.inference_id,
        )
        self._capture.record(fleet.plan.capture, fleet.plan.endpoint, variant.plan.name, exchange)

    def _model_error(self, endpoint: str, status: int, said: str) -> InvocationError:
        return model_error(
            endpoint=endpoint, account=self._account, region=self._region, status=status, said=said
        )

    async def _end(self, fleet: Fleet) -> None:
        await fleet.settled(5.0)
        await self._stop(fleet, 5.0)

    async def _stop(self, fleet: Fleet, grace: float) -> None:
        meter = self._alive.pop(fleet, None)
        if meter is not None:
            meter.cancel()
            await asyncio.gather(meter, return_exceptions=True)
        await fleet.stop(grace)
        fleet.close()

    def _recorder(self, plan: FleetPlan, variant: str, instance: str) -> InvocationRecorder:
        return self._metrics.recorder(
            endpoint=plan.endpoint,
            variant=variant,
            config=plan.config,
            frequency=plan.metrics_frequency,
            instance=instance,
        )

    def _workspace(self, endpoint: str, variant: str) -> Workspace:
        serial = next(self._serial)
        return Workspace(
            directory=self._workdir / "instances" / f"{endpoint}-{variant}-{serial}",
            socket=self._sockets / str(serial),
            log=self._workdir / "logs" / endpoint / f"{variant}-{serial}.log",
        )
