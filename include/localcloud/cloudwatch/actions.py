"""What alarms do when their state changes: those of their actions that are SNS topics are told, one after another."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from include.localcloud.cloudwatch.notification import ACTIONS, Notification, notification
from include.localcloud.state import Record

log = logging.getLogger(__name__)

Publish = Callable[[Notification], Awaitable[None]]  # raises PublishError
Note = Callable[[str, str], None]  # takes an alarm's name and what came of one of its actions


class PublishError(Exception):
    """A topic did not take a notification; the text says why."""


async def nowhere(notification: Notification) -> None:
    """Raise PublishError: there is no SNS."""
    raise PublishError(f"there is no topic {notification.topic}")


class Actions:
    """Actions wait here until they are carried out, in the order in which alarms changed."""

    def __init__(self, publish: Publish, note: Note) -> None:
        self._publish = publish
        self._note = note
        self._due: deque[tuple[str, Notification]] = deque()
        self._wake = asyncio.Event()

    def begin(self, alarm: Record, former: str, at: float) -> None:
        """Have done what the alarm does on its way from the state `former`, if its actions are enabled.

        Automatic scaling looks at its alarms itself; an action that nothing here carries out is noted as failed.
        """
        if not alarm["ActionsEnabled"]:
            return
        for action in alarm[ACTIONS[alarm["StateValue"]]]:
            service = action.split(":")[2] if action.count(":") > 2 else ""
            if service == "sns":
                self._due.append((alarm["AlarmName"], notification(action, alarm, former, at)))
                self._wake.set()
            elif service != "autoscaling":
                self._failed(alarm["AlarmName"], action, "the local cloud carries out SNS topics only")

    async def carry_out(self) -> None:
        """Return when every action that waits is carried out, or has failed."""
        while self._due:
            name, wanted = self._due.popleft()
            try:
                await self._publish(wanted)
            except PublishError as error:
                self._failed(name, wanted.topic, str(error))
            else:
                self._note(name, f"Successfully executed action {wanted.topic}")

    async def run(self) -> None:
        """Carry out actions for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self.carry_out()
            except Exception:
                log.exception("an alarm's action")

    def _failed(self, name: str, action: str, reason: str) -> None:
        log.warning("alarm %s: action %s failed: %s", name, action, reason)
        self._note(name, f"Failed to execute action {action}. Received error: {reason}")
