"""The local cloud's own time: every date it writes, publishes or sends comes from here."""

import asyncio
import time


class Clock:
    """Time that passes `scale` times as fast as the machine's, starting together with it."""

    def __init__(self, scale: float = 1.0) -> None:
        if not scale > 0:
            raise ValueError(f"the clock's scale is {scale}; it must be above 0")
        self._scale = scale
        self._epoch_start = time.time()
        self._machine_start = self._epoch_start
        self._sleepers: set[asyncio.Future[None]] = set()

    @property
    def scale(self) -> float:
        """Seconds of this clock per second of the machine."""
        return self._scale

    @scale.setter
    def scale(self, scale: float) -> None:
        if not scale > 0:
            raise ValueError(f"the clock's scale is {scale}; it must be above 0")
        self._epoch_start, self._machine_start = self.now(), time.time()
        self._scale = scale
        for sleeper in self._sleepers:  # each works out anew how long it still has to wait
            if not sleeper.done():
                sleeper.set_result(None)

    def now(self) -> float:
        """Return the epoch seconds of this clock."""
        return self._epoch_start + (time.time() - self._machine_start) * self._scale

    def monotonic(self) -> float:
        """Return seconds that never go back, unscaled: for measuring how long real work took."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait until `seconds` of this clock have passed; whoever sleeps while the scale changes wakes by the new one."""
        deadline = self.now() + max(0.0, seconds)
        while True:
            sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._sleepers.add(sleeper)
            try:
                await asyncio.wait({sleeper}, timeout=max(0.0, deadline - self.now()) / self._scale)
            finally:
                self._sleepers.discard(sleeper)
            if self.now() >= deadline:
                return
