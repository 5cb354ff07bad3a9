"""A shard's journal: who may send it, how far it came, and what nobody can know any more."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from include.ledger.store import Store
from include.replay.account import Account
from include.replay.progress import Progress
from include.rollout.errors import ConflictError, LedgerError, ReplayError, TakenOverError

_SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A shard over all its attempts: the requests accounted for, and the indices that are uncertain.

    An uncertain request was under way, or may have been sent, when an attempt was killed. It is in no
    account and is never sent again.
    """

    account: Account
    uncertain: tuple[tuple[int, int], ...]  # ranges of indices: first, one past the last
    complete: bool

    @property
    def uncertain_count(self) -> int:
        """Return how many requests are uncertain."""
        return sum(end - start for start, end in self.uncertain)


class Journal:
    """Leave to send one shard's requests: one attempt at a time, and no request twice.

    One object in the ledger's store, replaced by compare-and-swap about twice a second, is claim and
    checkpoint at once. Before a request is sent, its index lies below a stored `horizon`; an attempt
    that takes over therefore knows what may have been sent and goes on behind it. The one before
    learns of it at its next renewal, and without a renewal its leave ends `hold` seconds after the
    last one began; the new attempt waits that long first. Clocks are never compared between machines.
    """

    def __init__(
        self,
        store: Store,
        key: str,
        *,
        reserve: int,
        hold: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Claim the shard, waiting out an earlier attempt; `reserve` requests may be sent unrenewed.

        Raises TakenOverError where another attempt claims it at the same time, LedgerError where the
        store cannot be reached.
        """
        self._store, self._key, self._reserve, self._hold, self._clock = store, key, reserve, hold, clock
        self._holder = secrets.token_hex(8)
        found = store.get_with_tag(key)
        state, tag = found if found is not None else ({}, None)
        if state.get("schema", _SCHEMA) != _SCHEMA:
            msg = f"the journal {key} has schema {state['schema']}; this version reads {_SCHEMA}"
            raise ReplayError(msg)
        self.attempt: int = state.get("attempt", 0) + 1
        self.before = Outcome(
            account=Account.from_document(state["account"]) if state else Account(),
            uncertain=_after_a_kill(state) if state else (),
            complete=state.get("complete", False),
        )
        self.first_index: int = state.get("horizon", 0)
        self.horizon = self.first_index
        self.until = float("-inf")
        if self.before.complete:
            return
        self._tag = self._replace(self._document(self.first_index, self.before.uncertain, Account()), tag)
        if tag is not None:
            sleep(hold)  # the attempt before has stopped by now, whether it heard of us or not

    def keep(self, progress: Progress) -> None:
        """Store the checkpoint and renew the leave; raise TakenOverError once another attempt has it.

        A store that cannot be reached renews nothing: sending pauses until it can.
        """
        began = self._clock()
        pending = tuple((index, index + 1) for index in sorted(progress.pending))
        document = self._document(
            progress.next_index + self._reserve, self.before.uncertain, progress.account
        )
        document |= {"next_index": progress.next_index, "pending": [list(pair) for pair in pending]}
        try:
            self._tag = self._replace(document, self._tag)
        except LedgerError:
            return
        self.horizon = progress.next_index + self._reserve
        self.until = began + self._hold

    def close(self, account: Account) -> Outcome:
        """Store the outcome of all attempts as complete and return it."""
        document = self._document(self.horizon, self.before.uncertain, account) | {"complete": True}
        self._tag = self._replace(document, self._tag)
        self.until = float("-inf")
        return Outcome(account=self.before.account + account, uncertain=self.before.uncertain, complete=True)

    def _document(
        self, horizon: int, uncertain: tuple[tuple[int, int], ...], account: Account
    ) -> dict[str, Any]:
        return {
            "schema": _SCHEMA,
            "attempt": self.attempt,
            "holder": self._holder,
            "next_index": self.first_index,
            "horizon": horizon,
            "pending": [],
            "uncertain": [list(pair) for pair in uncertain],
            "account": (self.before.account + account).to_document(),
            "complete": False,
        }

    def _replace(self, document: dict[str, Any], expected: str | None) -> str:
        try:
            return self._store.replace(self._key, document, expected=expected)
        except ConflictError as error:
            msg = (
                f"another attempt has taken over the replay {self._key}; this one (attempt {self.attempt}) stops, "
                f"and the other goes on behind it"
            )
            raise TakenOverError(msg) from error


def _after_a_kill(state: dict[str, Any]) -> tuple[tuple[int, int], ...]:
    """Return every range of indices whose outcome nobody can know, given the last checkpoint."""
    ranges = [(first, end) for first, end in [*state["uncertain"], *state["pending"]]]
    if state["next_index"] < state["horizon"]:
        ranges.append((state["next_index"], state["horizon"]))
    joined: list[tuple[int, int]] = []
    for first, end in sorted(ranges):
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((first, end))
    return tuple(joined)
