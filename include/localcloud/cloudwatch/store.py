"""All metrics in memory: exact samples per series and period, visible once published."""

import bisect
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

from include.localcloud.clock import Clock
from include.localcloud.cloudwatch.recorder import InvocationRecorder, Period
from include.localcloud.cloudwatch.samples import Samples

_log = logging.getLogger(__name__)

Dimensions = tuple[tuple[str, str], ...]  # sorted by name

INVOCATIONS = "AWS/SageMaker"
UTILISATION = "/aws/sagemaker/Endpoints"
# CloudWatch keeps points of under a minute for 3 hours, of a minute for 15 days, of 5 minutes for 63 days and of
# an hour for 455 days (user guide, "Metrics retention"). (age in s, seconds into which older points are merged)
_ROLL_UPS = ((3 * 3600, 60), (15 * 86400, 300), (63 * 86400, 3600))
_OLDEST = 455 * 86400  # seconds
_ROLL_UP_EVERY = 60.0  # seconds
_MOST_VALUES = 8_000_000  # distinct values held, 16 bytes each; the oldest periods go first


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What tells one metric from another."""

    namespace: str
    name: str
    dimensions: Dimensions


@dataclass(slots=True)
class _Series:
    starts: list[int] = field(default_factory=list)  # ascending
    points: dict[int, list[tuple[str, Samples]]] = field(default_factory=dict)  # start -> (unit, samples)

    def add(self, start: int, unit: str, samples: Samples) -> None:
        if start not in self.points:
            bisect.insort(self.starts, start)
            self.points[start] = []
        self.points[start].append((unit, samples))

    def pop(self, start: int) -> list[tuple[str, Samples]]:
        self.starts.remove(start)
        return self.points.pop(start)


class MetricStore:
    """Publishes and answers; everything happens on one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._series: dict[Key, _Series] = {}
        self._recorders: list[InvocationRecorder] = []
        self._faults: dict[str | None, str] = {}
        self._rolled_up = clock.now()
        self._values_held = 0

    def recorder(self, *, endpoint: str, variant: str, config: str, frequency: int) -> InvocationRecorder:
        """Return what collects the invocation metrics of one variant, every `frequency` seconds."""
        recorder = InvocationRecorder(
            endpoint=endpoint,
            variant=variant,
            config=config,
            frequency=frequency,
            clock=self._clock,
            publish=self._publish,
        )
        self._recorders.append(recorder)
        return recorder

    def set_fault(self, endpoint: str | None, fault: str | None) -> None:
        """Lose ("drop") or publish (None) from now on what an endpoint's variants do; None is every endpoint."""
        if fault not in {None, "drop"}:
            raise ValueError(f"the metric fault is {fault!r}; allowed are 'drop' and None")
        self.settle()
        if fault is None:
            self._faults.pop(endpoint, None)
        else:
            self._faults[endpoint] = fault

    def settle(self) -> None:
        """Publish every invocation period that is over; merge and drop what is old."""
        now = self._clock.now()
        for recorder in self._recorders:
            recorder.settle(now)
        self._recorders = [each for each in self._recorders if not (each.closed and each.empty)]
        if now - self._rolled_up >= _ROLL_UP_EVERY:
            self._roll_up(now)

    def put(self, key: Key, *, timestamp: float, resolution: int, unit: str, samples: Samples) -> None:
        """Add samples to the period of `resolution` seconds that holds `timestamp` (epoch seconds)."""
        start = int(timestamp // resolution) * resolution
        self._series.setdefault(key, _Series()).add(start, unit, samples)
        self._values_held += len(samples.values)
        if self._values_held > _MOST_VALUES:
            self._drop_oldest()

    def publish_utilisation(
        self, *, endpoint: str, variant: str, metric: str, start: int, frequency: int, samples: Samples
    ) -> None:
        """Add a finished period of one variant's CPU, memory or disk readings, in percent."""
        if not self._loses(endpoint):
            key = Key(UTILISATION, metric, (("EndpointName", endpoint), ("VariantName", variant)))
            self.put(key, timestamp=start, resolution=frequency, unit="Percent", samples=samples)

    def read(self, key: Key, *, start: float, end: float, period: int, unit: str = "") -> dict[int, Samples]:
        """Return samples by period start for start <= time < end, ascending; periods without any are absent.

        `unit` "" takes every unit.
        """
        self.settle()
        series = self._series.get(key)
        if series is None:
            return {}
        grouped: dict[int, list[Samples]] = {}
        first = bisect.bisect_left(series.starts, start)
        for at in series.starts[first : bisect.bisect_left(series.starts, end)]:
            found = [samples for its_unit, samples in series.points[at] if unit in {"", its_unit}]
            if found:
                grouped.setdefault(at // period * period, []).extend(found)
        return {at: Samples.merged(parts) for at, parts in grouped.items()}

    def units(self, key: Key) -> frozenset[str]:
        """Return the units in which the metric was published."""
        series = self._series.get(key, _Series())
        return frozenset(unit for points in series.points.values() for unit, _ in points)

    def keys(self, since: float = 0.0) -> Iterator[Key]:
        """Yield the metrics that have a point at or after `since`, in the order in which they appeared."""
        self.settle()
        for key, series in self._series.items():
            if series.starts and series.starts[-1] >= since:
                yield key

    def _loses(self, endpoint: str) -> bool:
        return None in self._faults or endpoint in self._faults

    def _publish(self, recorder: InvocationRecorder, period: Period) -> None:
        if self._loses(recorder.endpoint):
            return
        requests = float(len(period.latency))
        shares = period.per_instance
        published = (
            ("Invocations", "None", Samples.of([1.0], [requests])),
            ("InvocationsPerInstance", "None", Samples.of(list(shares), [float(n) for n in shares.values()])),
            ("Invocation4XXErrors", "None", _of_share(period.client_errors, requests)),
            ("Invocation5XXErrors", "None", _of_share(period.server_errors, requests)),
            ("InvocationModelErrors", "None", _of_share(period.model_errors, requests)),
            ("ModelLatency", "Microseconds", Samples.of(period.latency)),
            ("OverheadLatency", "Microseconds", Samples.of(period.overhead)),
        )
        variant = (("EndpointName", recorder.endpoint), ("VariantName", recorder.variant))
        for dimensions in (variant, (("EndpointConfigName", recorder.config), *variant)):
            for name, unit, samples in published:
                key = Key(INVOCATIONS, name, dimensions)
                self.put(
                    key, timestamp=period.start, resolution=recorder.frequency, unit=unit, samples=samples
                )

    def _roll_up(self, now: float) -> None:
        self._rolled_up = now
        for key, series in list(self._series.items()):
            for start in [start for start in series.starts if start < now - _OLDEST]:
                self._forget_points(series.pop(start))
            for age, step in _ROLL_UPS:
                horizon = (now - age) // step * step
                for start in series.starts[: bisect.bisect_left(series.starts, horizon)]:
                    if start % step or len(series.points[start]) > 1:
                        self._values_held += _merge(series, start, start // step * step)
            if not series.starts:
                del self._series[key]

    def _forget_points(self, points: list[tuple[str, Samples]]) -> None:
        self._values_held -= sum(len(samples.values) for _, samples in points)

    def _drop_oldest(self) -> None:
        """Drop periods, the oldest first, until a tenth of the room is free."""
        dropped = 0
        starts = sorted((start, key) for key, series in self._series.items() for start in series.starts)
        for start, key in starts:
            if self._values_held <= _MOST_VALUES * 9 // 10:
                break
            self._forget_points(self._series[key].pop(start))
            dropped += 1
        _log.warning("more than %d metric values: the %d oldest points are gone", _MOST_VALUES, dropped)


def _of_share(hits: int, requests: float) -> Samples:
    """Return 1 for each hit and 0 for every other request: the zeros make the average a rate."""
    return Samples.of([0.0, 1.0], [requests - hits, float(hits)]) if hits else Samples.of([0.0], [requests])


def _merge(series: _Series, start: int, into: int) -> int:
    """Move one period into a longer one; return by how much the number of distinct values changed."""
    points = series.pop(start)
    if into != start and into in series.points:
        points = series.pop(into) + points
    before = sum(len(samples.values) for _, samples in points)
    for unit in dict.fromkeys(unit for unit, _ in points):
        series.add(into, unit, Samples.merged(samples for its_unit, samples in points if its_unit == unit))
    return sum(len(samples.values) for _, samples in series.points[into]) - before
