"""The open-loop engine: requests leave at their scheduled times, whatever the answers do."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterable

import numpy as np
import uvloop
from numpy.typing import NDArray

from include.replay.account import Account
from include.replay.pacer import Pacer
from include.replay.progress import Permit, Progress, Unlimited
from include.replay.request import Request
from include.replay.run import Run
from include.replay.target import Target

__all__ = ["Progress", "replay"]


def replay(
    *,
    target: Target,
    requests: Iterable[Request],
    pacer: Pacer,
    duration: float | None,
    limit: int | None,
    late_after: float,
    inference_id: Callable[[int], str],
    in_flight: int = 64,
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[Progress], None] = lambda _: None,
    progress_every: float = 5.0,
    warm_up: float = 0.0,
    period: int = 10,
    first_index: int = 0,
    permit: Permit | None = None,
    records: Callable[[NDArray[np.void]], None] | None = None,
    part: Callable[[], float] | None = None,
) -> Account:
    """Send the requests as the pacer schedules them and account for every single one.

    Sending ends with the requests, `limit` of them (warm-up not counted), or `duration` seconds
    after the `warm_up`, whichever comes first; answers are awaited up to the target's timeout. A
    request that cannot leave within `late_after` seconds of its time, because `in_flight` others
    are under way, is shed. Nothing is ever sent twice. `stopped` is asked at least every half
    second and ends the replay within a second: requests still under way then are ABANDONED.
    `stopped` and `progress` run in threads of their own, so they may be slow. If one of them, or
    the source, raises, `progress` hears the account so far once more before the error goes on.

    A replay that was cut off goes on from `first_index`: what the pacer has before it is left out,
    and time begins with the first entry that is not. Whoever could be doubled hands in a `permit`.

    `part` is the share of the schedule that is sent at present, asked for each request on the event
    loop's thread: what is left out, at random, is spared and counted as such.

    `records` hears every counted request once, many at a time, as an array of `tally.ROW`.

    Durations are seconds. Runs its own event loop: must not be called from inside another one.
    """
    if in_flight < 1 or not late_after >= 0 or not warm_up >= 0 or (duration is not None and duration <= 0):
        msg = (
            f"a replay was asked for with in_flight={in_flight}, late_after={late_after}, warm_up={warm_up}, "
            f"duration={duration}; it needs at least 1, 0, 0, and more than 0"
        )
        raise ValueError(msg)
    run = Run(
        target, in_flight, late_after, inference_id, limit, first_index, permit or Unlimited(), records, part
    )
    run.schedule = pacer.schedule(requests)
    gc.collect()
    gc.freeze()  # what is loaded by now stays: no collection need walk over it
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(run.play(stopped, progress, progress_every, warm_up, duration, period))
    finally:
        gc.unfreeze()
