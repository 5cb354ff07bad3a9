"""Ctrl-C, SIGTERM and SIGHUP at any moment: one orderly end, which nothing interrupts again."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Result = TypeVar("Result")


class Interrupted(BaseException):
    """A person or the system asked this program to end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_status = 128 + number


def run_then(work: Callable[[], Result], cleanup: Callable[[], None]) -> Result:
    """Run `work`, and `cleanup` whatever happens; the first signal ends the work, later ones are ignored.

    Raises what `work` raised, or Interrupted. SIGINT is taken also where a shell started this program in
    the background, which makes it ignored by default.
    """
    before = {number: signal.signal(number, _interrupt) for number in SIGNALS}
    try:
        try:
            return work()
        finally:
            _ignore_all()  # a signal that lands on this very line raises, having done the same
    finally:
        try:
            cleanup()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _ignore_all()
    raise Interrupted(number)


def _ignore_all() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
