"""All metrics in memory: exact samples per series and period, visible once published, and on disk if asked."""

import bisect
import heapq
import itertools
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from include.localcloud.clock import Clock
from include.localcloud.cloudwatch.interference import Interference
from include.localcloud.cloudwatch.journal import Entry, Journal
from include.localcloud.cloudwatch.metric import ROLL_UPS, Dimensions, Key
from include.localcloud.cloudwatch.recorder import InvocationRecorder, Period
from include.localcloud.cloudwatch.samples import Samples

__all__ = ["Dimensions", "Key", "MetricStore"]

_log = logging.getLogger(__name__)

INVOCATIONS = "AWS/SageMaker"
UTILISATION = "/aws/sagemaker/Endpoints"
_OLDEST = 455 * 86400  # seconds
_ROLL_UP_EVERY = 60.0  # seconds
_MOST_VALUES = 8_000_000  # distinct values held, 16 bytes each; the oldest periods go first
_COARSE = 1.1  # the width of a coarse store's buckets


@dataclass(slots=True)
class _Series:
    starts: list[int] = field(default_factory=list)  # ascending
    points: dict[int, list[tuple[str, Samples]]] = field(default_factory=dict)  # start -> (unit, samples)

    def add(self, start: int, unit: str, samples: Samples) -> None:
        if start not in self.points:
            bisect.insort(self.starts, start)
            self.points[start] = []
        self.points[start].append((unit, samples))

    def merge(self, start: int) -> int:
        """Hold what was put into one period together, by unit; return by how much the values became more."""
        parts = self.points[start]
        before = sum(len(samples.values) for _, samples in parts)
        self.points[start] = [
            (unit, Samples.merged(samples for its_unit, samples in parts if its_unit == unit))
            for unit in dict.fromkeys(unit for unit, _ in parts)
        ]
        return sum(len(samples.values) for _, samples in self.points[start]) - before

    def pop(self, start: int) -> list[tuple[str, Samples]]:
        self.starts.remove(start)
        return self.points.pop(start)


class MetricStore:
    """Publishes and answers; everything happens on one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._series: dict[Key, _Series] = {}
        self._recorders: list[InvocationRecorder] = []
        self._interference = Interference()
        self._rolled_up = clock.now()
        self._values_held = 0
        self._journal: Journal | None = None
        self._early: list[tuple[float, int, Entry]] = []  # a heap of what is of periods that are not over
        self._serial = itertools.count()
        self.coarse = False  # keep values in buckets a tenth wide, as a store without room for each would

    def now(self) -> float:
        """Return the epoch seconds of the store's clock."""
        return self._clock.now()

    def keep(self, folder: Path) -> None:
        """Take up what this folder holds from earlier, and keep there what is published from now on."""
        journal = Journal(folder)
        for entry in journal.entries():
            self._take(entry)
        self._journal = journal
        self._roll_up(self._clock.now())

    def close(self) -> None:
        """Keep what is still open, as a restart would otherwise lose it, and nothing after it."""
        for recorder in self._recorders:
            recorder.settle(float("inf"))
        self._interference.release(float("inf"))
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def recorder(
        self, *, endpoint: str, variant: str, config: str, frequency: int, instance: str = ""
    ) -> InvocationRecorder:
        """Return what collects the invocation metrics of one variant, or of one instance of it.

        They are published every `frequency` seconds.
        """
        recorder = InvocationRecorder(
            endpoint=endpoint,
            variant=variant,
            config=config,
            instance=instance,
            frequency=frequency,
            clock=self._clock,
            publish=self._publish,
        )
        self._recorders.append(recorder)
        return recorder

    def set_fault(self, endpoint: str | None, fault: str | None, amount: float = 0.0) -> None:
        """Put a fault of an endpoint's metrics in force, or take them back (None); see `Interference.set`."""
        self.settle()
        self._interference.set(endpoint, fault, amount)

    def settle(self) -> None:
        """Publish every invocation period that is over; merge and drop what is old."""
        now = self._clock.now()
        for recorder in self._recorders:
            recorder.settle(now)
        self._recorders = [each for each in self._recorders if not (each.closed and each.empty)]
        self._interference.release(now)
        while self._early and self._early[0][0] <= now:
            self._add(heapq.heappop(self._early)[2])
        if now - self._rolled_up >= _ROLL_UP_EVERY:
            self._roll_up(now)

    def put(
        self,
        *keys: Key,
        timestamp: float,
        resolution: int,
        unit: str,
        samples: Samples,
        visible_from: float = 0.0,
    ) -> None:
        """Add samples to the period of `resolution` seconds that holds `timestamp`, for each of the metrics.

        They are kept at once and seen from `visible_from` on; both times are in epoch seconds.
        """
        if self.coarse:
            samples = samples.bucketed(_COARSE)
        start = int(timestamp // resolution) * resolution
        entry = Entry(keys=keys, start=start, unit=unit, samples=samples, visible_from=visible_from)
        if self._journal is not None:
            self._journal.append(entry)
        self._take(entry)

    def publish_utilisation(
        self,
        *,
        endpoint: str,
        variant: str,
        metric: str,
        start: int,
        frequency: int,
        samples: Samples,
        instance: str = "",
    ) -> None:
        """Add a finished period of CPU, memory or disk readings, in percent, of a variant or one instance."""
        dimensions = _dimensions(endpoint, variant, instance)
        put = partial(
            self.put,
            Key(UTILISATION, metric, dimensions),
            timestamp=start,
            resolution=frequency,
            unit="Percent",
            samples=samples,
        )
        self._interference.pass_on(
            endpoint=endpoint, variant=variant, start=start, due=self._clock.now(), publish=put
        )

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
            if len(series.points[at]) > 1:  # once: a thousand values put one by one are slow to read
                self._values_held += series.merge(at)
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

    def _take(self, entry: Entry) -> None:
        if entry.visible_from > self._clock.now():
            heapq.heappush(self._early, (entry.visible_from, next(self._serial), entry))
        else:
            self._add(entry)

    def _add(self, entry: Entry) -> None:
        for key in entry.keys:
            self._series.setdefault(key, _Series()).add(entry.start, entry.unit, entry.samples)
            self._values_held += len(entry.samples.values)
        if self._values_held > _MOST_VALUES:
            self._drop_oldest()

    def _publish(self, recorder: InvocationRecorder, period: Period) -> None:
        self._interference.pass_on(
            endpoint=recorder.endpoint,
            variant=recorder.variant,
            start=period.start,
            due=max(self._clock.now(), period.start + recorder.frequency),
            publish=partial(self._publish_now, recorder, period),
        )

    def _publish_now(self, recorder: InvocationRecorder, period: Period) -> None:
        requests = float(len(period.latency))
        shares = period.per_instance
        published = [
            ("Invocations", "None", Samples.of([1.0], [requests])),
            ("Invocation4XXErrors", "None", _of_share(period.client_errors, requests)),
            ("Invocation5XXErrors", "None", _of_share(period.server_errors, requests)),
            ("InvocationModelErrors", "None", _of_share(period.model_errors, requests)),
            ("ModelLatency", "Microseconds", Samples.of(period.latency)),
            ("OverheadLatency", "Microseconds", Samples.of(period.overhead)),
        ]
        own = _dimensions(recorder.endpoint, recorder.variant, recorder.instance)
        sets = [own]
        if not recorder.instance:
            sets.append((("EndpointConfigName", recorder.config), *own))
            per_instance = Samples.of(list(shares), [float(n) for n in shares.values()])
            published.append(("InvocationsPerInstance", "None", per_instance))
        for name, unit, samples in published:
            self.put(
                *(Key(INVOCATIONS, name, dimensions) for dimensions in sets),
                timestamp=period.start,
                resolution=recorder.frequency,
                unit=unit,
                samples=samples,
                visible_from=period.start + recorder.frequency,
            )

    def _roll_up(self, now: float) -> None:
        self._rolled_up = now
        for key, series in list(self._series.items()):
            for start in [start for start in series.starts if start < now - _OLDEST]:
                self._forget_points(series.pop(start))
            for age, step in ROLL_UPS:
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


def _dimensions(endpoint: str, variant: str, instance: str) -> Dimensions:
    """Return a variant's dimensions, or those of enhanced metrics for one instance of it."""
    own = (("EndpointName", endpoint), ("VariantName", variant))
    return (own[0], ("InstanceId", instance), own[1]) if instance else own


def _of_share(hits: int, requests: float) -> Samples:
    """Return 1 for each hit and 0 for every other request: the zeros make the average a rate."""
    return Samples.of([0.0, 1.0], [requests - hits, float(hits)]) if hits else Samples.of([0.0], [requests])


def _merge(series: _Series, start: int, into: int) -> int:
    """Move one period into a longer one; return by how much the number of distinct values changed."""
    points = series.pop(start)
    if into != start and into in series.points:
        points = series.pop(into) + points
    for unit, samples in points:
        series.add(into, unit, samples)
    return series.merge(into)
