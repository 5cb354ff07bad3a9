"""Copying requests to a shadow: never awaited by anybody, bounded, and counted when there is no room."""

import time
from collections import deque
from collections.abc import Callable
from functools import partial

from include.localcloud.runtime.connection import Outcome
from include.localcloud.runtime.instance import Instance
from include.localcloud.runtime.variant import Variant

# What one shadow instance may have in flight, and waiting beside that. Unbounded, the mirrors of a slow shadow
# pile up and take production's CPU: its p99 rose to 430 ms when that was tried.
CONCURRENCY = 64
QUEUE = 256
QUEUE_BYTES = 64 << 20  # of requests waiting, for the whole variant

Finished = Callable[[Instance, float, Outcome], None]


class Mirror:
    """The bounded way to one shadow variant."""

    def __init__(self, variant: Variant, timeout: float) -> None:
        self.variant = variant
        self.in_flight = 0
        self._timeout = timeout
        self._waiting: deque[tuple[bytes, Finished]] = deque()
        self._waiting_bytes = 0

    @property
    def busy(self) -> bool:
        """Whether copies are still under way or waiting."""
        return bool(self.in_flight or self._waiting)

    def offer(self, payload: bytes, finished: Finished) -> None:
        """Send a copy now, later, or not at all; `finished` gets the instance, the start (monotonic s) and the outcome."""
        ready = self.variant.ready
        if not ready or (self.in_flight >= CONCURRENCY * ready and not self._has_room(payload, ready)):
            self.variant.shed += 1
            return
        self.variant.mirrored += 1
        if self.in_flight < CONCURRENCY * ready:
            self._send(payload, finished)
        else:
            self._waiting.append((payload, finished))
            self._waiting_bytes += len(payload)

    def _has_room(self, payload: bytes, ready: int) -> bool:
        return len(self._waiting) < QUEUE * ready and self._waiting_bytes + len(payload) <= QUEUE_BYTES

    def _send(self, payload: bytes, finished: Finished) -> None:
        instance: Instance | None = self.variant.pick()
        if instance is None:  # the last one died while this copy waited
            self.variant.mirrored -= 1
            self.variant.shed += 1
            return
        self.in_flight += 1
        instance.begin(payload, self._timeout, partial(self._done, instance, time.monotonic(), finished))

    def _done(self, instance: Instance, started: float, finished: Finished, outcome: Outcome) -> None:
        self.in_flight -= 1
        finished(instance, started, outcome)
        while self._waiting and self.in_flight < CONCURRENCY * max(1, self.variant.ready):
            payload, next_finished = self._waiting.popleft()
            self._waiting_bytes -= len(payload)
            self._send(payload, next_finished)
