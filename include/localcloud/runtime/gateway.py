"""The front of all endpoints: invoke production, copy to the shadow, account for both, swap fleets."""

import asyncio
import logging
import random
import shutil
import tempfile
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from include.localcloud.clock import Clock
from include.localcloud.cloudwatch.recorder import InvocationRecorder
from include.localcloud.cloudwatch.store import MetricStore
from include.localcloud.http import Request, Respond, Response
from include.localcloud.runtime.capture import CaptureWriter, Exchange, ObjectWriter
from include.localcloud.runtime.connection import ExchangeError, Outcome, Reply
from include.localcloud.runtime.container.server import LATENCY_HEADER
from include.localcloud.runtime.disturbance import Disturbances
from include.localcloud.runtime.fleet import Fleet
from include.localcloud.runtime.instance import Instance
from include.localcloud.runtime.invocation import Invocation, check_name, read
from include.localcloud.runtime.plan import FleetPlan
from include.localcloud.runtime.process import STOP_SECONDS, Workspace
from include.localcloud.runtime.refusal import (
    InvocationError,
    internal_failure,
    model_error,
    unavailable,
    unknown_endpoint,
    validation,
)
from include.localcloud.runtime.usage import UsageMeter
from include.localcloud.runtime.variant import Variant

_log = logging.getLogger(__name__)
MODEL_SECONDS = 60.0  # a model must answer within this time
_LATENCY = LATENCY_HEADER.encode()
_ATTRIBUTES = b"x-amzn-sagemaker-custom-attributes"
_LONGEST_SOCKET = 90  # characters; the kernel's limit for a unix socket's path is 108, macOS's 104


@dataclass(slots=True)
class Call:
    """One invocation on its way: on which fleet and variant it began, and who wants the answer."""

    fleet: Fleet
    variant: Variant
    invocation: Invocation
    started: float  # monotonic seconds
    respond: Respond
    captured: bool = False


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
    ) -> None:
        self._metrics, self._clock = metrics, clock
        self._capture = CaptureWriter(objects, clock)
        self._account = account
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

    def begin(self, endpoint: str, request: Request, respond: Respond) -> None:
        """Have `respond` called once with what InvokeEndpoint answers, errors included; perhaps at once. Never raises."""
        started = self._clock.monotonic()
        try:
            fleet = self._fleets.get(endpoint)
            if fleet is None:
                check_name(endpoint)
                raise unknown_endpoint(endpoint, self._account)
            if endpoint in self._beside and self._chance.random() < self._beside[endpoint][1]:
                fleet = self._beside[endpoint][0]
            invocation = read(endpoint, request)
            self._send(Call(fleet, self._route(fleet, invocation), invocation, started, respond))
        except InvocationError as refusal:
            respond(refusal.response())
        except Exception:
            _log.exception("an invocation of %s failed", endpoint)
            respond(internal_failure().response())

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

    def _send(self, call: Call) -> None:
        fleet, plan = call.fleet, call.fleet.plan
        call.captured = plan.capture is not None and self._chance.random() * 100 < plan.capture.percentage
        instance = call.variant.pick()
        if instance is not None:
            fleet.in_flight += 1
            instance.begin(call.invocation.payload, MODEL_SECONDS, partial(self._answered, call, instance))
        if fleet.mirrors:
            for mirror in fleet.shadows(call.variant):
                mirror.offer(call.invocation.payload, partial(self._mirrored, call, mirror.variant))
        if instance is None:
            raise unavailable()

    def _answered(self, call: Call, instance: Instance, outcome: Outcome) -> None:
        """Answer the caller, whatever came of the call."""
        call.fleet.in_flight -= 1
        try:
            response = self._response(call, instance, outcome)
        except InvocationError as refusal:
            response = refusal.response()
        except Exception:
            _log.exception("an invocation of %s failed", call.fleet.plan.endpoint)
            response = internal_failure().response()
        call.respond(response)

    def _response(self, call: Call, instance: Instance, outcome: Outcome) -> Response:
        self._account_for(call.variant, instance, outcome, call.started)
        plan = call.fleet.plan
        if isinstance(outcome, ExchangeError):
            raise self._model_error(plan, 0, str(outcome))
        if not 200 <= outcome.status < 300:
            raise self._model_error(plan, outcome.status, outcome.body.decode(errors="replace"))
        if call.captured:
            self._record(call, call.variant, outcome)
        headers = {
            "Content-Type": outcome.headers.get(b"content-type", b"").decode("latin-1"),
            "x-Amzn-Invoked-Production-Variant": call.variant.plan.name,
        }
        if _ATTRIBUTES in outcome.headers:
            headers["X-Amzn-SageMaker-Custom-Attributes"] = outcome.headers[_ATTRIBUTES].decode("latin-1")
        return Response(outcome.status, headers, outcome.body)

    def _mirrored(
        self, call: Call, shadow: Variant, instance: Instance, started: float, outcome: Outcome
    ) -> None:
        """Account for a shadow's answer; that is all that ever happens with it."""
        self._account_for(shadow, instance, outcome, started)
        if call.captured and isinstance(outcome, Reply) and 200 <= outcome.status < 300:
            self._record(call, shadow, outcome)

    def _account_for(self, variant: Variant, instance: Instance, outcome: Outcome, started: float) -> None:
        whole = (self._clock.monotonic() - started) * 1e6
        if isinstance(outcome, ExchangeError):
            variant.account(instance, status=0, latency=whole, whole=whole)
            return
        timed = outcome.headers.get(_LATENCY)
        latency = float(timed) if timed else whole
        variant.account(instance, status=outcome.status, latency=latency, whole=whole)

    def _record(self, call: Call, variant: Variant, reply: Reply) -> None:
        plan = call.fleet.plan
        assert plan.capture is not None
        exchange = Exchange(
            input_type=call.invocation.content_type,
            input=call.invocation.body,
            output_type=reply.headers.get(b"content-type", b"").decode("latin-1"),
            output=reply.body,
            inference_id=call.invocation.inference_id,
        )
        self._capture.record(plan.capture, plan.endpoint, variant.plan.name, exchange)

    def _model_error(self, plan: FleetPlan, status: int, said: str) -> InvocationError:
        return model_error(
            endpoint=plan.endpoint, account=self._account, region=plan.region, status=status, said=said
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
