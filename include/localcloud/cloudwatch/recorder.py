"""Invocation metrics of one variant: collected per publish period, published when the period is over."""

from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from include.localcloud.clock import Clock

_CUT_SECONDS = 5.0  # what a period collected is handed over this often, so that a SIGKILL costs no more


@dataclass(slots=True)
class Period:
    """What one variant did in one publish period, or in a piece of it; appended to for every request."""

    start: int  # epoch seconds
    latency: "array[float]" = field(default_factory=lambda: array("d"))  # microseconds
    overhead: "array[float]" = field(default_factory=lambda: array("d"))  # microseconds
    client_errors: int = 0
    server_errors: int = 0
    model_errors: int = 0
    per_instance: Counter[float] = field(default_factory=Counter)  # share of one request -> requests


class InvocationRecorder:
    """Stamps each request with the period in which it ended; an idle period publishes nothing.

    A busy period is published in pieces; whoever takes them shows none before the period is over.
    """

    def __init__(
        self,
        *,
        endpoint: str,
        variant: str,
        config: str,
        frequency: int,
        clock: Clock,
        publish: Callable[["InvocationRecorder", Period], None],
        instance: str = "",
    ) -> None:
        self.instance = instance  # "" for all of the variant's
        self.endpoint, self.variant, self.config = endpoint, variant, config
        self.frequency = frequency  # seconds
        self.closed = False  # nobody records any more; what is open is still published when it is over
        self._clock, self._publish = clock, publish
        self._period: Period | None = None
        self._cut_at = 0.0  # epoch seconds

    def record(self, *, status: int, latency: float, overhead: float, instances: int) -> None:
        """Count one request; `status` 0 means that the model gave no answer."""
        now = self._clock.now()
        start = int(now // self.frequency) * self.frequency
        period = self._period
        if period is None or period.start != start or now >= self._cut_at:
            if period is not None:
                self._publish(self, period)
            period = self._period = Period(start)
            self._cut_at = now + _CUT_SECONDS
        period.latency.append(latency)
        period.overhead.append(overhead)
        period.per_instance[1.0 / instances] += 1
        if not 200 <= status < 300:
            period.model_errors += 1
            period.client_errors += 400 <= status < 500
            period.server_errors += 500 <= status < 600

    def settle(self, now: float) -> None:
        """Publish the open period if it is over at `now` (epoch seconds)."""
        if self._period is not None and self._period.start + self.frequency <= now:
            self._publish(self, self._period)
            self._period = None

    @property
    def empty(self) -> bool:
        """Whether everything recorded is published."""
        return self._period is None
