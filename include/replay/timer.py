"""Waking an event loop on time: a timerfd, since epoll's own timeouts are whole milliseconds."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import sys
import time
from collections.abc import Callable
from typing import Protocol

_LOG = logging.getLogger(__name__)

_CLOCK_MONOTONIC = 1
_TFD_TIMER_ABSTIME = 1
_TFD_NONBLOCK_CLOEXEC = os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)


class Timer(Protocol):
    """Calls back once at the time it was last armed for."""

    def arm(self, at: float) -> None:
        """Call back at `at` (seconds of time.monotonic()); replaces what was armed before."""
        ...

    def disarm(self) -> None:
        """Call back no more until armed again."""
        ...

    def close(self) -> None:
        """Give everything back."""
        ...


def timer(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> Timer:
    """Return the most exact timer this machine has, and log where it is not a timerfd."""
    if sys.platform == "linux":
        try:
            return _TimerFd(loop, callback)
        except OSError as error:
            _LOG.warning("No timerfd (%s): requests are paced by the event loop, to about 1 ms.", error)
    else:
        _LOG.warning("No timerfd on %s: requests are paced by the event loop, to about 1 ms.", sys.platform)
    return _LoopTimer(loop, callback)


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class _TimerFd:
    """timerfd_create(2) on CLOCK_MONOTONIC, which is Python's time.monotonic() on Linux.

    Python has it from 3.13 as os.timerfd_create; the C library's own function serves every version.
    Arming resets the expiry count, so a descriptor that is armed again need not be read.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        self._loop = loop
        library = ctypes.CDLL(None, use_errno=True)
        self._settime = library.timerfd_settime
        self._settime.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        self._fd: int = library.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK_CLOEXEC)
        if self._fd < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        self._spec = _Itimerspec()
        self._value = self._spec.value
        self._reference = ctypes.byref(self._spec)
        self._callback = callback
        loop.add_reader(self._fd, self._due)

    def _due(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._fd, 8)
        self._callback()

    def arm(self, at: float) -> None:
        seconds = int(at)
        self._value.seconds = seconds
        self._value.nanoseconds = max(1, int((at - seconds) * 1e9))  # 0.0 would disarm
        self._settime(self._fd, _TFD_TIMER_ABSTIME, self._reference, None)

    def disarm(self) -> None:
        self._value.seconds = 0
        self._value.nanoseconds = 0
        self._settime(self._fd, 0, self._reference, None)

    def close(self) -> None:
        self._loop.remove_reader(self._fd)
        os.close(self._fd)


class _LoopTimer:
    """The event loop's own timer."""

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        self._loop = loop
        self._callback = callback
        self._handle: asyncio.TimerHandle | None = None

    def arm(self, at: float) -> None:
        self.disarm()
        self._handle = self._loop.call_later(max(0.0, at - time.monotonic()), self._callback)

    def disarm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def close(self) -> None:
        self.disarm()
