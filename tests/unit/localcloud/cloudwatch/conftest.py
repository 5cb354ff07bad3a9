"""A metric store whose clock is in the test's hands."""

import datetime

import pytest

from include.localcloud.clock import Clock
from include.localcloud.cloudwatch.samples import Samples
from include.localcloud.cloudwatch.store import Key, MetricStore


class HandClock(Clock):
    def __init__(self) -> None:
        super().__init__()
        self.time = 1_800_000_000.0  # a whole hour

    def now(self) -> float:
        return self.time


class Board:
    """A store, its clock, and short ways to write and name metrics."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.store = MetricStore(self.clock)

    @property
    def now(self) -> float:
        return self.clock.time

    def put(self, values, *, ago=0.0, name="m", namespace="Own", dimensions=(), unit="None", resolution=60):
        key = Key(namespace, name, tuple(sorted(dimensions)))
        self.store.put(
            key, timestamp=self.now - ago, resolution=resolution, unit=unit, samples=Samples.of(values)
        )
        return key

    def when(self, ago=0.0):
        return datetime.datetime.fromtimestamp(self.now - ago, datetime.UTC)


@pytest.fixture
def board() -> Board:
    return Board()
