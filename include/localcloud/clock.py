"""The local cloud's own time: every date it writes, publishes or sends comes from here."""

import asyncio
import json
import os
import time
from pathlib import Path

FASTEST = 1e6
_SHORTEST = 0.005  # seconds of the machine that a sleep takes at least: loops over it stay light at any scale


class Clock:
    """Time that passes `scale` times as fast as the machine's, starting together with it.

    With a file it goes on there after a restart: at the stored scale, as if it had never been off, and never back.
    """

    def __init__(self, scale: float | None = None, file: Path | None = None) -> None:
        self._scale = 1.0
        self._epoch_start = self._machine_start = time.time()
        self._file = file
        self._sleepers: set[asyncio.Future[None]] = set()
        if file is not None and file.exists():
            stored = json.loads(file.read_text())
            self._scale = stored["scale"]
            self._epoch_start, self._machine_start = stored["epoch_start"], stored["machine_start"]
        if scale is not None:
            self.scale = scale

    @property
    def scale(self) -> float:
        """Seconds of this clock per second of the machine."""
        return self._scale

    @scale.setter
    def scale(self, scale: float) -> None:
        if not 0 < scale <= FASTEST:
            raise ValueError(f"the clock's scale is {scale}; it must be above 0 and at most {FASTEST:.0f}")
        machine = time.time()
        self._epoch_start, self._machine_start = self._at(machine), machine
        self._scale = scale
        self._store()
        for sleeper in self._sleepers:  # each works out anew how long it still has to wait
            if not sleeper.done():
                sleeper.set_result(None)

    def now(self) -> float:
        """Return the epoch seconds of this clock."""
        return self._at(time.time())

    def monotonic(self) -> float:
        """Return seconds that never go back, unscaled: for measuring how long real work took."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait until `seconds` of this clock have passed; whoever sleeps while the scale changes wakes by the new one.

        At a high scale it lasts longer: 5 ms of the machine at least, unless `seconds` is 0 or less.
        """
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        deadline = self.now() + seconds
        while True:
            sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._sleepers.add(sleeper)
            try:
                left = (deadline - self.now()) / self._scale
                await asyncio.wait({sleeper}, timeout=max(_SHORTEST, left))
            finally:
                self._sleepers.discard(sleeper)
            if self.now() >= deadline:
                return

    def _at(self, machine: float) -> float:
        return self._epoch_start + (machine - self._machine_start) * self._scale

    def _store(self) -> None:
        if self._file is None:
            return
        partial = self._file.with_suffix(".partial")
        kept = {
            "scale": self._scale,
            "epoch_start": self._epoch_start,
            "machine_start": self._machine_start,
        }
        partial.write_text(json.dumps(kept))
        os.replace(partial, self._file)
