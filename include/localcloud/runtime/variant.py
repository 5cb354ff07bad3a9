"""One variant at run time: its instances, its weight and what it served."""

import itertools
from typing import Any

from include.localcloud.cloudwatch.recorder import InvocationRecorder
from include.localcloud.runtime.instance import Instance
from include.localcloud.runtime.plan import VariantPlan


class Variant:
    """Routes to the ready instance with the fewest outstanding requests, in turn when they are equal."""

    def __init__(self, plan: VariantPlan, recorder: InvocationRecorder) -> None:
        self.plan = plan
        self.recorder = recorder
        self.weight = plan.weight
        self.instances: tuple[Instance, ...] = ()
        self.served = 0  # requests answered for callers, or mirrors completed
        self.failed = 0  # of these, without a 2xx answer
        self.mirrored = 0  # requests copied to this shadow, shed ones not counted
        self.shed = 0  # requests that should have been copied and were not: no room, or nobody ready
        self._turn = itertools.count()

    @property
    def ready(self) -> int:
        """How many instances serve now."""
        return sum(instance.ready for instance in self.instances)

    def account(self, instance: Instance, *, status: int, latency: float, whole: float) -> None:
        """Count one finished request: status 0 is no answer, `latency` and `whole` in microseconds."""
        self.served += 1
        if not 200 <= status < 300:
            self.failed += 1
        overhead = max(0.0, whole - latency)
        self.recorder.record(status=status, latency=latency, overhead=overhead, instances=max(1, self.ready))
        if instance.recorder is not None:
            instance.recorder.record(status=status, latency=latency, overhead=overhead, instances=1)

    def pick(self) -> Instance | None:
        """Return the instance for the next request, or None when none is ready."""
        instances = self.instances
        if len(instances) == 1:
            return instances[0] if instances[0].ready else None
        turn = next(self._turn)
        best: Instance | None = None
        for offset in range(len(instances)):
            instance = instances[(turn + offset) % len(instances)]
            if instance.ready and (best is None or instance.outstanding < best.outstanding):
                best = instance
        return best

    def counts(self) -> dict[str, Any]:
        """Return what happened so far, for people who look at the local cloud's state."""
        return {
            "variant": self.plan.name,
            "shadow": self.plan.shadow,
            "weight": self.weight,
            "served": self.served,
            "failed": self.failed,
            "mirrored": self.mirrored,
            "shed": self.shed,
            "instances": [
                {
                    "name": instance.name,
                    "pid": instance.pid,
                    "ready": instance.ready,
                    "outstanding": instance.outstanding,
                    "restarts": instance.restarts,
                }
                for instance in self.instances
            ],
        }
