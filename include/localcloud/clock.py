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

    def now(self) -> float:
        """Return the epoch seconds of this clock."""
        return self._epoch_start + (time.time() - self._machine_start) * self._scale

    def monotonic(self) -> float:
        """Return seconds that never go back, unscaled: for measuring how long real work took."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait until `seconds` of this clock have passed."""
        await asyncio.sleep(max(0.0, seconds) / self._scale)
