"""Instances do not outlive the process that started them, however it ends."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Ask the kernel to kill this process when its parent ends; exit now when it already has.

    Linux only (prctl(2)); elsewhere `watch` alone does the work, once the event loop runs.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(f"the parent process {parent} is gone; nothing is left to serve for")


def watch(loop: asyncio.AbstractEventLoop, over: Callable[[], None]) -> None:
    """Call `over` when standard input, whose other end the parent holds, is closed."""

    def read() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            over()

    loop.add_reader(0, read)
