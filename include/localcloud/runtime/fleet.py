"""All instances behind one endpoint config of one endpoint."""

import asyncio
import itertools
import random
from collections.abc import Callable
from typing import Any

from include.localcloud.cloudwatch.recorder import InvocationRecorder
from include.localcloud.runtime.disturbance import Disturbances
from include.localcloud.runtime.images import resolve
from include.localcloud.runtime.instance import Instance
from include.localcloud.runtime.mirror import Mirror
from include.localcloud.runtime.plan import FleetPlan, StartupError, VariantPlan, mirrored_share
from include.localcloud.runtime.process import Workspace
from include.localcloud.runtime.variant import Variant

_POLL_SECONDS = 0.02

NewWorkspace = Callable[[str, str], Workspace]  # endpoint, variant
NewRecorder = Callable[[FleetPlan, str, str], InvocationRecorder]  # plan, variant, instance or ""


class Fleet:
    """Started as a whole, replaced as a whole; a request stays with the fleet it began on."""

    def __init__(
        self,
        plan: FleetPlan,
        *,
        workspaces: NewWorkspace,
        recorders: NewRecorder,
        timeout: float,
        chance: random.Random,
        disturbances: Disturbances | None = None,
    ) -> None:
        self.plan = plan
        self.in_flight = 0  # callers waiting for an answer
        self.retiring = False
        variants = [Variant(variant, recorders(plan, variant.name, "")) for variant in plan.variants]
        self.production = tuple(variant for variant in variants if not variant.plan.shadow)
        self.mirrors = tuple(Mirror(variant, timeout) for variant in variants if variant.plan.shadow)
        self._recorders = recorders
        self._workspaces, self._chance = workspaces, chance
        self._disturbances = disturbances
        self._serial = itertools.count(1)
        self._starting: set[Instance] = set()

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Production variants first, then shadows."""
        return self.production + tuple(mirror.variant for mirror in self.mirrors)

    @property
    def busy(self) -> bool:
        """Whether a caller or a copy still waits for one of these instances."""
        return self.in_flight > 0 or any(mirror.busy for mirror in self.mirrors)

    def variant(self, name: str) -> Variant:
        """Return the variant of that name; raise KeyError when there is none."""
        for variant in self.variants:
            if variant.plan.name == name:
                return variant
        raise KeyError(name)

    def choose(self) -> Variant:
        """Return a production variant with probability weight / sum of production weights."""
        if len(self.production) == 1:
            return self.production[0]
        total = sum(variant.weight for variant in self.production)
        mark = self._chance.random() * total
        for variant in self.production:
            mark -= variant.weight
            if mark < 0:
                return variant
        return self.production[-1]

    def shadows(self, production: Variant) -> list[Mirror]:
        """Return the mirrors that get a copy of this request, each by its own draw."""
        return [
            mirror
            for mirror in self.mirrors
            if self._chance.random()
            < mirrored_share(shadow_weight=mirror.variant.weight, production_weight=production.weight)
        ]

    async def start(self) -> None:
        """Return when every instance answers /ping; else raise StartupError with all of them stopped."""
        try:
            await asyncio.gather(
                *(self.resize(variant.plan.name, variant.plan.instance_count) for variant in self.variants)
            )
        except BaseException:
            await self.stop(grace=1.0)
            raise

    async def resize(self, name: str, count: int) -> None:
        """Return when the variant has `count` ready instances; what leaves finishes its requests first."""
        variant = self.variant(name)
        missing = count - len(variant.instances)
        if missing > 0:
            fresh = [self._instance(variant.plan) for _ in range(missing)]
            self._starting.update(fresh)
            try:
                await self._start_all(name, fresh)
            finally:
                self._starting.difference_update(fresh)
            variant.instances += tuple(fresh)
        elif missing < 0:
            leaving = variant.instances[count:]
            variant.instances = variant.instances[:count]
            await asyncio.gather(*(_drain(instance) for instance in leaving))

    async def stop(self, grace: float) -> None:
        """Return when every process is gone."""
        self.retiring = True
        leaving = [instance for variant in self.variants for instance in variant.instances]
        leaving += self._starting
        for variant in self.variants:
            variant.instances = ()
        await asyncio.gather(*(instance.stop(grace) for instance in leaving))

    def close(self) -> None:
        """Record nothing more: what is recorded is published when its period is over."""
        for variant in self.variants:
            variant.recorder.closed = True

    async def settled(self, seconds: float) -> None:
        """Return when nothing is in flight any more, or after `seconds`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while self.busy and loop.time() < deadline:
            await asyncio.sleep(_POLL_SECONDS)

    def counts(self) -> dict[str, Any]:
        """Return config, requests in flight and every variant's counts."""
        return {
            "config": self.plan.config,
            "in_flight": self.in_flight,
            "variants": [variant.counts() for variant in self.variants],
        }

    async def _start_all(self, name: str, fresh: list[Instance]) -> None:
        """Return when all answer /ping; on any failure, and when cancelled, none of them is left."""
        try:
            started = await asyncio.gather(*(instance.start() for instance in fresh), return_exceptions=True)
        except asyncio.CancelledError:
            await asyncio.gather(*(instance.stop(grace=1.0) for instance in fresh))
            raise
        failures = [outcome for outcome in started if isinstance(outcome, BaseException)]
        if failures or self.retiring:
            await asyncio.gather(*(instance.stop(grace=1.0) for instance in fresh))
            raise _failure(name, failures)

    def _instance(self, plan: VariantPlan) -> Instance:
        name = f"{self.plan.endpoint}/{plan.name}/{next(self._serial)}"
        instance = Instance(
            name=name,
            image=resolve(plan.image),
            workspace=self._workspaces(self.plan.endpoint, plan.name),
            model_data=plan.model_data,
            environment=plan.environment,
            startup_timeout=plan.startup_timeout,
            source=plan.source,
            endpoint=self.plan.endpoint,
            variant=plan.name,
            disturbances=self._disturbances,
        )
        if self.plan.enhanced_metrics:
            instance.recorder = self._recorders(self.plan, plan.name, instance.id)
        return instance


def _failure(variant: str, failures: list[BaseException]) -> BaseException:
    """Return a StartupError in AWS's words for the first failure; what is no start-up failure stays itself."""
    for failure in failures:
        if not isinstance(failure, StartupError):
            return failure
    said = f" The instance said: {failures[0]}." if failures else " The endpoint was changed meanwhile."
    return StartupError(
        f"The primary container for production variant {variant} did not pass the ping health check. "
        f"Please check CloudWatch logs for this endpoint.{said}"
    )


async def _drain(instance: Instance) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + 60.0
    while instance.outstanding and loop.time() < deadline:
        await asyncio.sleep(_POLL_SECONDS)
    await instance.stop()
