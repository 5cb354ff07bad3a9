"""Waking up on time: uvloop and epoll round timers to milliseconds, a timerfd does not."""

import asyncio
import ctypes
import heapq
import os
import sys
import time
from collections.abc import Callable

_CLOCK_MONOTONIC = 1
_TFD_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC
_TFD_TIMER_ABSTIME = 1


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Alarm:
    """Calls back at or just after a `time.monotonic` instant: tens of microseconds late on Linux.

    Elsewhere the event loop's own timer is used, late by up to a millisecond.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0
        self._fd = -1
        if sys.platform == "linux":
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._fd = self._libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK_CLOEXEC)
        if self._fd >= 0:
            loop.add_reader(self._fd, self._fire)

    def call_at(self, when: float, callback: Callable[[], None]) -> None:
        """Call `callback` once, at `when` or as soon as possible after it."""
        if self._fd < 0:
            self._loop.call_later(max(0.0, when - time.monotonic()), callback)
            return
        self._sequence += 1
        heapq.heappush(self._waiting, (when, self._sequence, callback))
        if self._waiting[0][1] == self._sequence:
            self._arm(when)

    def _arm(self, when: float) -> None:
        seconds = int(when)
        nanoseconds = int((when - seconds) * 1e9) + 1  # an all-zero value would disarm
        spec = _Itimerspec(_Timespec(0, 0), _Timespec(seconds, min(nanoseconds, 999_999_999)))
        self._libc.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, ctypes.byref(spec), None)

    def _fire(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            return
        now = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now:
            heapq.heappop(self._waiting)[2]()
        if self._waiting:
            self._arm(self._waiting[0][0])
