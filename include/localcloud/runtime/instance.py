"""One instance: a supervised process and a pool of connections to it."""

import asyncio
import contextlib
import logging
import shutil
import time
from collections.abc import Mapping
from functools import partial
from hashlib import blake2b
from pathlib import Path

from include.localcloud.cloudwatch.recorder import InvocationRecorder
from include.localcloud.runtime import process
from include.localcloud.runtime.connection import Connection, ExchangeError, Finished, Outcome, Reply
from include.localcloud.runtime.disturbance import Disturbances
from include.localcloud.runtime.images import Image
from include.localcloud.runtime.plan import StartupError
from include.localcloud.runtime.process import Workspace

_log = logging.getLogger(__name__)
_PING = b"GET /ping HTTP/1.1\r\nhost: instance\r\n\r\n"
_PING_SECONDS = 2.0  # SageMaker's limit for one ping
_POLL_SECONDS = 0.01
_CONNECT_SECONDS = 5.0
_LONGEST_BACKOFF = 10.0  # seconds between two restarts of a process that keeps dying


class Instance:
    """Serves while its process lives; a process that dies is started again until `stop` is called."""

    def __init__(
        self,
        *,
        name: str,
        image: Image,
        workspace: Workspace,
        model_data: Path | None,
        environment: Mapping[str, str],
        startup_timeout: float,
        source: Path | None = None,
        endpoint: str = "",
        variant: str = "",
        disturbances: Disturbances | None = None,
    ) -> None:
        self.name = name
        self.workspace = workspace
        self.outstanding = 0  # requests sent and not answered
        self.restarts = 0
        self.ready = False
        self.recorder: InvocationRecorder | None = None  # of this instance alone, with enhanced metrics
        self._image, self._model_data, self._environment = image, model_data, environment
        self._endpoint, self._variant = endpoint, variant
        self._disturbances = disturbances or Disturbances()
        self._ready_since = 0.0  # monotonic seconds
        self._startup_timeout, self._source = startup_timeout, source
        self._process: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._connecting: set[asyncio.Future[None]] = set()
        self._stopping = asyncio.Event()

    @property
    def id(self) -> str:
        """What metrics call it: short, and never used again."""
        return f"i-{blake2b(str(self.workspace.directory).encode(), digest_size=8).hexdigest()}"

    @property
    def pid(self) -> int | None:
        """The living process's id, or None."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> None:
        """Return when /ping answered 200; raise StartupError, with the process gone, when it does not in time."""
        try:
            await self._launch()
        except BaseException:
            await self.stop(grace=1.0)
            raise
        self._supervisor = asyncio.create_task(self._supervise(), name=f"supervise {self.name}")

    async def stop(self, grace: float = process.STOP_SECONDS) -> None:
        """Return when the process is gone and its private directory removed; waits for nothing it serves."""
        self._stopping.set()
        if self.recorder is not None:
            self.recorder.closed = True
        self.ready = False
        if self._process is not None:
            await process.stop(self._process, grace)
        if self._supervisor is not None:
            # Not cancelled: a process just being started would be lost. It sees that we are stopping and ends.
            await self._supervisor
            assert self._process is not None
            await process.stop(self._process, grace)
        for connection in tuple(self._open):
            connection.close()
        self.workspace.socket.unlink(missing_ok=True)
        await asyncio.to_thread(shutil.rmtree, self.workspace.directory, ignore_errors=True)

    def begin(self, payload: bytes, timeout: float, finished: Finished) -> None:
        """Send one request now; `finished` gets the Reply or an ExchangeError, later and once."""
        self.outstanding += 1
        if self._disturbances.in_force:
            now = time.monotonic()
            payload = self._disturbances.ordered(
                self._endpoint, self._variant, payload, instance_age=now - self._ready_since, now=now
            )
        ended = partial(self._ended, finished)
        if self._idle:
            self._idle.pop().send(payload, timeout, ended)
        else:
            connecting = asyncio.ensure_future(self._connect_and_send(payload, timeout, ended))
            self._connecting.add(connecting)
            connecting.add_done_callback(self._connecting.discard)

    async def ask(self, payload: bytes, timeout: float) -> Reply:
        """Return the answer to one request; raise ExchangeError."""
        answered: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def finished(outcome: Outcome) -> None:
            if not answered.done():  # whoever asked may be gone
                answered.set_result(outcome)

        self.begin(payload, timeout, finished)
        outcome = await answered
        if isinstance(outcome, ExchangeError):
            raise outcome
        return outcome

    def crash(self) -> None:
        """Kill the process, which is then started again; what it was serving fails."""
        self.ready = False
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    def _ended(self, finished: Finished, outcome: Outcome) -> None:
        self.outstanding -= 1
        finished(outcome)

    async def _connect_and_send(self, payload: bytes, timeout: float, finished: Finished) -> None:
        try:
            connection = await self._connect()
        except ExchangeError as error:
            finished(error)
        else:
            connection.send(payload, timeout, finished)

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _CONNECT_SECONDS
        while True:
            try:
                _, connection = await loop.create_unix_connection(
                    lambda: Connection(self._idle.append, self._forget), str(self.workspace.socket)
                )
            except BlockingIOError as error:  # a full backlog is EAGAIN on unix sockets: a burst, no refusal
                if loop.time() > deadline:
                    raise ExchangeError("the container accepts no more connections") from error
                await asyncio.sleep(_POLL_SECONDS)
                continue
            except OSError as error:
                raise ExchangeError(f"the container does not accept connections: {error}") from error
            self._open.add(connection)
            return connection

    def _forget(self, connection: Connection) -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    async def _launch(self) -> None:
        starting = asyncio.ensure_future(
            process.start(self._image, self.workspace, self._model_data, self._environment, self._source)
        )
        try:
            self._process = await asyncio.shield(starting)
        except asyncio.CancelledError:
            self._process = await starting  # whoever cancelled must be able to end it
            raise
        except OSError as error:
            raise StartupError(f"its process cannot be started: {error}") from error
        deadline = time.monotonic() + self._startup_timeout
        while not await self._answers_ping():
            if self._stopping.is_set():
                raise StartupError("it was stopped before it was ready")
            if self._process.returncode is not None:
                words = process.last_words(self.workspace.log)
                raise StartupError(
                    f"it exited with status {self._process.returncode}: {words or 'no output'}"
                )
            if time.monotonic() > deadline:
                raise StartupError(f"it did not answer /ping with 200 within {self._startup_timeout:g} s")
            await asyncio.sleep(_POLL_SECONDS)
        self._ready_since = time.monotonic()
        self.ready = not self._stopping.is_set()

    async def _answers_ping(self) -> bool:
        if not self.workspace.socket.exists():
            return False
        try:
            return (await self.ask(_PING, _PING_SECONDS)).status == 200
        except ExchangeError:
            return False

    async def _supervise(self) -> None:
        backoff = 0.1
        while True:
            assert self._process is not None
            status = await self._process.wait()
            self.ready = False
            if self._stopping.is_set():
                return
            self.restarts += 1
            _log.warning("instance %s ended with status %s; starting it again", self.name, status)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), backoff)
                return
            backoff = min(backoff * 2, _LONGEST_BACKOFF)
            try:
                await self._launch()
            except StartupError as error:
                _log.warning("instance %s did not come back: %s", self.name, error)
                await process.stop(self._process, 1.0)
