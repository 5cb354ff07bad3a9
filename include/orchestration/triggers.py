"""What the triggerer runs while a task waits. AWS calls and numerics happen in threads, never on its loop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from include.orchestration.connection import clients_of, rollout_at
from include.rollout.errors import CloudError, LedgerError, RolloutError

if TYPE_CHECKING:
    from include.aws.clients import Clients

log = logging.getLogger("penumbra")

_PATIENCE = 900.0  # seconds during which an AWS that does not answer is asked again
# Airflow (3.3.2) takes a task that runs again before the process that paused it was reaped for one that was killed,
# and fails it; on a busy machine reaping took two seconds. So no trigger fires sooner than this.
_REAPED = 3.0


class WaitTrigger(BaseTrigger):
    """Fires when the endpoint has no update under way, or after `every` seconds when there is no endpoint to look at.

    A short wait is looked at often and a long one every `every` seconds, so that nobody waits much longer than the
    update took. `until` (epoch seconds) bounds the wait; what was reached is for the step to say.
    """

    def __init__(self, *, connection: str, endpoint: str, every: float, until: float) -> None:
        super().__init__()
        self.connection = connection
        self.endpoint = endpoint
        self.every = every
        self.until = until
        self._clients: Clients | None = None  # kept: making them costs more than a look

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments; credentials stay in the connection."""
        return (
            "include.orchestration.triggers.WaitTrigger",
            {
                "connection": self.connection,
                "endpoint": self.endpoint,
                "every": self.every,
                "until": self.until,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look after a quarter of the time waited so far, but every `every` seconds at least."""
        began = time.monotonic()
        pause = max(_REAPED, 0.0 if self.endpoint else self.every)
        while True:
            await asyncio.sleep(pause)
            if not self.endpoint or time.time() >= self.until or await asyncio.to_thread(self._is_quiet):
                yield TriggerEvent({"waited": True})
                return
            pause = min(self.every, (time.monotonic() - began) / 4)

    def _is_quiet(self) -> bool:
        from include.aws.endpoints import is_quiet

        try:
            self._clients = self._clients or clients_of(self.connection)
            return is_quiet(self._clients, self.endpoint)
        except CloudError as error:
            log.warning("%s Asking again soon.", error)
            return False


class WindowTrigger(BaseTrigger):
    """Takes a look after every period and fires when the window closes. Its memory is the ledger: it may die anywhere.

    `promoted` says that the promoted candidate is looked after, rather than the shadow.
    """

    def __init__(
        self, *, dag_id: str, run_id: str, ledger: str, ledger_connection: str, promoted: bool = False
    ) -> None:
        super().__init__()
        self.dag_id = dag_id
        self.run_id = run_id
        self.ledger = ledger
        self.ledger_connection = ledger_connection
        self.promoted = promoted

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments; credentials stay in the connection."""
        return (
            "include.orchestration.triggers.WindowTrigger",
            {
                "dag_id": self.dag_id,
                "run_id": self.run_id,
                "ledger": self.ledger,
                "ledger_connection": self.ledger_connection,
                "promoted": self.promoted,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Observe until the window is closed; one readable line a look goes to the task's log."""
        from include.steps.observe import observe
        from include.steps.watch import look_after

        look, stage = (look_after, "watch") if self.promoted else (observe, "window")
        rollout = None
        failing_since: float | None = None
        said: tuple[str, ...] = ()
        await asyncio.sleep(_REAPED)
        while True:
            try:
                if rollout is None:
                    rollout = await asyncio.to_thread(
                        rollout_at,
                        self.dag_id,
                        self.run_id,
                        ledger=self.ledger,
                        ledger_connection=self.ledger_connection,
                    )
                progress = await asyncio.to_thread(look, rollout)
                failing_since = None
            except (CloudError, LedgerError) as error:
                if isinstance(error, CloudError) and not error.transient:
                    yield TriggerEvent({"error": str(error)})
                    return
                failing_since = failing_since or time.monotonic()
                if time.monotonic() - failing_since > _PATIENCE:
                    yield TriggerEvent({"error": str(error)})
                    return
                log.warning("%s Looking again in 10 s.", error)
                await asyncio.sleep(10)
                continue
            except RolloutError as error:
                yield TriggerEvent({"error": str(error)})
                return
            if progress.lines != said:
                for line in progress.lines:
                    log.info("[%s %s] %s", rollout.id, stage, line)
                said = progress.lines
            if progress.closed is not None:
                yield TriggerEvent({"closed": progress.closed.value})
                return
            await asyncio.sleep(progress.again_in)
