"""One replay under way: what is due, what is under way, and what became of it."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain, islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from include.replay.account import Account, FailureKind
from include.replay.connection import IDLE, Connection
from include.replay.dial import dial
from include.replay.heads import Heads
from include.replay.progress import Permit, Progress
from include.replay.request import Request
from include.replay.signature import Signature
from include.replay.stream import Watch
from include.replay.tally import ANSWERED, KINDS, SHED, Tally, row
from include.replay.target import Target
from include.replay.timer import Timer, timer
from include.rollout.errors import ReplayError

_T = TypeVar("_T")
_CODES = {kind: code for code, kind in enumerate(KINDS)}
_BURST = 256  # requests that leave in one go before answers are read again
_SWEEP = 0.05  # seconds between two looks at the timeouts
_POLL = 0.25  # seconds between two questions whether to stop
_KEEP = 0.5  # seconds between two renewals of the permit, each with a checkpoint
_GRACE = 0.3  # seconds that answers are still awaited for after a stop


class Run:
    """The state of one replay; everything here happens on the event loop's thread."""

    schedule: Iterator[tuple[float, Request]]
    loop: asyncio.AbstractEventLoop
    over: asyncio.Future[None]
    signature: Signature
    tally: Tally
    add: Callable[[bytes], None]  # the tally's
    timer: Timer
    watch: Watch
    clock: float  # what must be added to time.monotonic() for the epoch

    def __init__(
        self,
        target: Target,
        in_flight: int,
        late_after: float,
        inference_id: Callable[[int], str],
        limit: int | None,
        first_index: int,
        permit: Permit,
        records: Callable[[NDArray[np.void]], None] | None,
        part: Callable[[], float] | None,
    ) -> None:
        self.target = target
        self.permit = permit
        self.records = records
        self.part = part
        self.chance = random.Random(first_index)  # noqa: S311 - it thins traffic, it protects nothing
        self.tls = target.tls()
        self.in_flight = in_flight
        self.late_after = late_after
        self.inference_id = inference_id
        self.left = math.inf if limit is None else limit  # requests that may still be counted
        self.first_index = self.next_index = first_index
        self.request: Request | None = None  # the next one to leave; None: there are no more
        self.due = 0.0
        self.busy = 0
        self.blocked = False
        self.armed = math.inf  # when the timer calls, if nothing changes
        self.connections: set[Connection] = set()
        self.idle: list[Connection] = []
        self.heads = Heads()
        self.dials: dict[Connection, asyncio.Task[None]] = {}

    async def play(
        self,
        stopped: Callable[[], bool],
        progress: Callable[[Progress], None],
        progress_every: float,
        warm_up: float,
        duration: float | None,
        period: int,
    ) -> Account:
        """Send everything, wait for every outcome, return the account."""
        self.loop = asyncio.get_running_loop()
        self.over = self.loop.create_future()
        with ThreadPoolExecutor(3, thread_name_prefix="replay") as threads:
            self.threads = threads
            self.signature = Signature(self.target, await self.aside(self.target.current_credentials))
            self.timer = timer(self.loop, self.wake)
            self.watch = Watch(self.loop, self.go_on)
            early = await self.aside(self.skip)
            beginning = Progress(elapsed=0.0, account=Account(), pending=(), next_index=self.next_index)
            await self.aside(self.permit.keep, beginning)
            self.start = time.monotonic() - early
            self.counting = self.start + warm_up
            self.until = math.inf if duration is None else self.counting + duration
            self.clock = time.time() - time.monotonic()
            self.tally = Tally(start=self.counting, epoch=self.clock, period=period, records=self.records)
            self.add = self.tally.add
            watchers = [
                self.loop.create_task(self.watched(watcher))
                for watcher in (
                    self.sweep,
                    partial(self.poll, stopped),
                    partial(self.report, progress, progress_every),
                    self.renew,
                )
            ]
            try:
                self.pull()
                self.dispatch()
                await self.over
            except BaseException:
                self.abandon()
                progress(self.snapshot())
                raise
            finally:
                for watcher in watchers:
                    watcher.cancel()
                await asyncio.gather(*watchers, return_exceptions=True)
                self.timer.close()
                for connection in tuple(self.connections):
                    connection.close()
                self.watch.close()
        account = self.tally.fold()
        taken = self.next_index - self.first_index
        known = account.scheduled + account.warm_up + account.spared
        if known != taken:
            msg = f"{known} requests have an outcome but {taken} were scheduled"
            raise ReplayError(msg)
        return account

    def skip(self) -> float:
        """Leave out what an earlier run had; return the offset at which time begins."""
        if self.first_index == 0:
            return 0.0
        for offset, request in islice(self.schedule, self.first_index, None):
            self.schedule = chain([(offset, request)], self.schedule)
            return offset
        return 0.0

    def pull(self) -> None:
        """Take the next request of the schedule; None where there are no more to be sent."""
        entry = next(self.schedule, None) if self.left > 0 else None
        if entry is not None and (due := self.start + entry[0]) < self.until:
            self.due, self.request = due, entry[1]
        else:
            self.request = None

    def dispatch(self) -> None:
        """Send whatever is due and there is room for, and see to it that this happens again."""
        try:
            self.blocked = False
            now = time.monotonic()
            horizon, until = self.permit.horizon, self.permit.until
            for _ in range(_BURST):
                request, due = self.request, self.due
                if request is None:
                    self.armed = math.inf
                    self.timer.disarm()
                    if self.busy == 0 and not self.over.done():
                        self.over.set_result(None)
                    return
                if due > now and due > (now := time.monotonic()):
                    self.arm(due)
                    return
                index = self.next_index
                if index >= horizon or now > until:
                    self.blocked = True  # until the permit is renewed
                    return
                if self.part is not None and self.chance.random() >= self.part():
                    self.tally.spared += 1
                    self.next_index = index + 1
                    self.pull()
                    continue
                if now - due > self.late_after:
                    self.add(row(index, due, now, now, 0, SHED))
                elif self.busy < self.in_flight:
                    self.busy += 1
                    now = self.send(request, index, due, now)
                else:
                    self.blocked = True  # until an answer comes
                    if due + self.late_after < self.armed:  # else the timer looks in earlier, and arms again
                        self.arm(due + self.late_after)
                    return
                self.next_index = index + 1
                if due >= self.counting:
                    self.left -= 1
                self.pull()
            self.arm(now)
        except Exception as error:  # from the source, the pacer or the names: nobody else would hear it
            self.fail(error)

    def arm(self, at: float) -> None:
        """Have `dispatch` called at this time, which costs a system call."""
        self.armed = at
        self.timer.arm(at)

    def wake(self) -> None:
        """Look for what is due, because it is time."""
        self.armed = math.inf
        self.dispatch()

    def send(self, request: Request, index: int, due: float, now: float) -> float:
        """Send the request on the connection used last, or on a new one; return the time at which it left."""
        idle = self.idle
        while idle:
            connection = idle.pop()
            if connection.usable:
                if now - connection.idle_since <= self.target.keep_idle:
                    connection.index, connection.scheduled = index, due
                    message = self.signature.message(
                        request.body, request.content_type, self.inference_id(index), now + self.clock
                    )
                    connection.sent = now = time.monotonic()
                    connection.send(message)
                    return now
                connection.close()  # the target may be about to close it too
        connection = Connection(self, self.heads)
        self.connections.add(connection)
        connection.index, connection.scheduled, connection.sent = index, due, now
        self.dials[connection] = self.loop.create_task(self.dial(connection, request, index))
        return time.monotonic()

    async def dial(self, connection: Connection, request: Request, index: int) -> None:
        """Connect, then send; the time this takes is the target's, not ours."""
        try:
            await dial(self.target, self.tls, connection, self.watch)
            if connection.index == index:
                name = self.inference_id(index)
                connection.send(self.signature.message(request.body, request.content_type, name, time.time()))
        except OSError:
            connection.abort(FailureKind.CONNECTION)
            self.lost(connection)
        except Exception as error:
            self.fail(error)
        finally:
            del self.dials[connection]

    def ended(self, connection: Connection, status: int, failure: FailureKind | None) -> None:
        """Write the outcome down and let the next request have the connection.

        After answers the watch calls `go_on`, once for all of them: the target is woken up less often.
        A failure may come from elsewhere.
        """
        now = time.monotonic()
        outcome = ANSWERED if failure is None else _CODES[failure]
        self.add(row(connection.index, connection.scheduled, connection.sent, now, status, outcome))
        connection.index = IDLE
        self.busy -= 1
        if connection.usable:
            connection.idle_since = now
            self.idle.append(connection)
        if failure is not None:
            self.go_on()

    def go_on(self) -> None:
        """Send what waited for an answer, or end the replay if this was the last."""
        if self.blocked or self.request is None:
            self.dispatch()

    def lost(self, connection: Connection) -> None:
        """Forget a connection."""
        self.connections.discard(connection)

    def stop(self) -> None:
        """Send nothing more; shed what is due already; give answers a moment, then abandon them."""
        now = time.monotonic()
        while self.request is not None and self.due <= now:
            self.add(row(self.next_index, self.due, now, now, 0, SHED))
            self.next_index += 1
            self.pull()
        self.request = None
        self.left = 0
        self.loop.call_later(_GRACE, self.abandon)
        self.dispatch()

    def abandon(self) -> None:
        """End every request under way without an answer."""
        self.request = None
        for connection in tuple(self.connections):
            self.cut(connection, FailureKind.ABANDONED)

    def cut(self, connection: Connection, failure: FailureKind) -> None:
        """End the request of this connection, if it has one, and close it."""
        task = self.dials.get(connection)
        if task is not None:
            task.cancel()
            self.lost(connection)
        if connection.index != IDLE:
            connection.abort(failure)

    def fail(self, error: BaseException) -> None:
        """End the replay with this error."""
        self.request = None
        self.left = 0
        if not self.over.done():
            self.over.set_exception(error)

    def snapshot(self) -> Progress:
        """Return the account of every outcome so far."""
        return Progress(
            elapsed=time.monotonic() - self.start,
            account=self.tally.fold(),
            pending=tuple(c.index for c in self.connections if c.index != IDLE),
            next_index=self.next_index,
        )

    async def aside(self, function: Callable[..., _T], *arguments: object) -> _T:
        """Run something that may be slow in a thread."""
        return await self.loop.run_in_executor(self.threads, function, *arguments)

    async def watched(self, watcher: Callable[[], Coroutine[None, None, None]]) -> None:
        try:
            await watcher()
        except Exception as error:
            self.fail(error)

    async def sweep(self) -> None:
        """End what has waited for longer than the timeout."""
        while True:
            await asyncio.sleep(_SWEEP)
            before = time.monotonic() - self.target.timeout
            for connection in tuple(self.connections):
                if connection.index != IDLE and connection.sent < before:
                    self.cut(connection, FailureKind.TIMEOUT)

    async def poll(self, stopped: Callable[[], bool]) -> None:
        """Ask whether to stop, and for the credentials of now."""
        while not await self.aside(stopped):
            self.signature.rotate(await self.aside(self.target.current_credentials))
            self.clock = time.time() - time.monotonic()  # signatures follow a wall clock that is put right
            await asyncio.sleep(_POLL)
        self.stop()

    async def report(self, progress: Callable[[Progress], None], every: float) -> None:
        """Tell how it goes."""
        while True:
            await asyncio.sleep(every)
            await self.aside(progress, self.snapshot())

    async def renew(self) -> None:
        """Keep the permit, and with it the checkpoint; send what waited for it."""
        while True:
            await asyncio.sleep(_KEEP)
            await self.aside(self.permit.keep, self.snapshot())
            if self.blocked:
                self.dispatch()
