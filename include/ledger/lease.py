"""The exclusive right to change an endpoint, with a fence that outdates older holders."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from include.ledger.store import Store
from include.rollout.errors import ConflictError, FenceError, LeaseHeldError, LedgerError
from include.rollout.names import moment

_ROUNDS = 100  # every lost round means that another writer got on, so this many is a broken store
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")


@dataclass(frozen=True, kw_only=True)
class OwnerRun:
    """The DAG run that a rollout is, and the Airflow (its URL) that can say whether it is over."""

    dag_id: str
    run_id: str
    airflow: str


@dataclass(frozen=True, kw_only=True)
class Lease:
    """A holder's right to change `endpoint`; it counts only while the stored fence equals `fence`."""

    endpoint: str
    owner: str
    owner_run: OwnerRun
    fence: int
    expires: datetime

    def __post_init__(self) -> None:
        if self.fence < 1 or self.expires.tzinfo is None:
            raise LedgerError(
                f"A lease on {self.endpoint} has fence {self.fence} and expires {self.expires}; "
                "a fence is 1 or more and an expiry knows its zone."
            )


class LeaseDesk:
    """Hands out the leases of one account and region; every change is one compare-and-swap.

    Law: an endpoint's fence never goes down, and grows with every new holder, also over a release.
    """

    def __init__(self, store: Store, *, account: str, region: str) -> None:
        self._store = store
        self._prefix = f"leases/{_segment(account)}/{_segment(region)}"

    def acquire(
        self,
        endpoint: str,
        owner: str,
        owner_run: OwnerRun,
        *,
        now: datetime,
        until: datetime,
        owner_is_over: Callable[[Lease], bool | None],
    ) -> Lease:
        """Give the lease if it is free, the owner's own, or left behind; else raise LeaseHeldError.

        The owner's own is adopted with its fence, never shortened. Another owner's is taken over, one
        fence up, if `owner_is_over` says True, or if it cannot tell (None: a run of another Airflow) and
        the lease has expired at `now`. A run known to be alive (False) keeps even an expired lease.
        """
        for _ in range(_ROUNDS):
            stored, fence, tag = self._load(endpoint)
            if stored is not None and stored.owner == owner:
                wanted = replace(stored, expires=max(stored.expires, until))
                if wanted == stored:
                    return stored
            else:
                if stored is not None:
                    refuse_if_held(stored, now=now, owner_is_over=owner_is_over)
                wanted = Lease(
                    endpoint=endpoint, owner=owner, owner_run=owner_run, fence=fence + 1, expires=until
                )
            if self._swapped(endpoint, wanted, wanted.fence, tag):
                return wanted
        raise _stuck(endpoint)

    def extend(self, lease: Lease, until: datetime) -> Lease:
        """Move the holder's expiry to `until`, never earlier than it is; FenceError if it holds no more."""
        return self._renewed(lease, until=until, step=0)

    def raise_fence(self, lease: Lease) -> Lease:
        """Give the holder the next fence: whoever still works with the old one fails its next check."""
        return self._renewed(lease, until=lease.expires, step=1)

    def check(self, lease: Lease) -> None:
        """Return only if `lease` is still the one that counts; else raise FenceError."""
        stored, fence, _ = self._load(lease.endpoint)
        if stored is None or stored.owner != lease.owner or fence != lease.fence:
            who = "nobody" if stored is None else f"rollout {stored.owner}"
            raise FenceError(
                f"The lease on {lease.endpoint} is held by {who} with fence {fence}, not by rollout "
                f"{lease.owner} with fence {lease.fence}: this process changes nothing any more and must stop."
            )

    def release(self, lease: Lease) -> None:
        """Free the endpoint if `lease` still counts, keeping the fence's number; otherwise do nothing."""
        for _ in range(_ROUNDS):
            stored, fence, tag = self._load(lease.endpoint)
            if stored is None or stored.owner != lease.owner or fence != lease.fence:
                return
            if self._swapped(lease.endpoint, None, fence, tag):
                return
        raise _stuck(lease.endpoint)

    def current(self, endpoint: str) -> Lease | None:
        """Say who holds the endpoint, expired or not; None if it is free."""
        return self._load(endpoint)[0]

    def held(self) -> list[Lease]:
        """List every lease of this account and region that is not free, by endpoint."""
        documents = self._store.get_many(self._store.keys(self._prefix))
        leases = [_lease(document) for document in documents if document is not None]
        return [lease for lease in leases if lease is not None]

    def _renewed(self, lease: Lease, *, until: datetime, step: int) -> Lease:
        for _ in range(_ROUNDS):
            self.check(lease)
            stored, fence, tag = self._load(lease.endpoint)
            if stored is None or stored.owner != lease.owner or fence != lease.fence:
                continue  # changed between the two reads: the next check says how
            wanted = replace(stored, fence=fence + step, expires=max(stored.expires, until))
            if wanted == stored or self._swapped(lease.endpoint, wanted, wanted.fence, tag):
                return wanted
        raise _stuck(lease.endpoint)

    def _load(self, endpoint: str) -> tuple[Lease | None, int, str | None]:
        """Read the lease (None if free), the last fence given (0 if none ever was) and the tag."""
        found = self._store.get_with_tag(self._key(endpoint))
        if found is None:
            return None, 0, None
        document, tag = found
        return _lease(document), int(document["fence"]), tag

    def _swapped(self, endpoint: str, lease: Lease | None, fence: int, tag: str | None) -> bool:
        document: dict[str, Any] = {
            "schema": 1,
            "kind": "lease",
            "endpoint": endpoint,
            "fence": fence,
            "owner": None,
            # Two holders may write the same words; the token tells a lost answer from a lost race.
            "token": uuid4().hex,
        }
        if lease is not None:
            run = lease.owner_run
            document |= {
                "owner": lease.owner,
                "owner_run": {"dag_id": run.dag_id, "run_id": run.run_id, "airflow": run.airflow},
                "expires": lease.expires,
            }
        try:
            self._store.replace(self._key(endpoint), document, expected=tag)
        except ConflictError:
            return False
        return True

    def _key(self, endpoint: str) -> str:
        # SageMaker compares endpoint names without regard to case when it creates them.
        return f"{self._prefix}/{_segment(endpoint).lower()}"


def refuse_if_held(lease: Lease, *, now: datetime, owner_is_over: Callable[[Lease], bool | None]) -> None:
    """Raise LeaseHeldError unless the lease was left behind: its run is over, or unknown here and expired."""
    over = owner_is_over(lease)
    if over is False or (over is None and now < lease.expires):
        raise LeaseHeldError(_held(lease))


def _lease(document: dict[str, Any]) -> Lease | None:
    if document["owner"] is None:
        return None
    return Lease(
        endpoint=document["endpoint"],
        owner=document["owner"],
        owner_run=OwnerRun(**document["owner_run"]),
        fence=document["fence"],
        expires=moment(document["expires"]),
    )


def _segment(text: str) -> str:
    if not _SEGMENT.fullmatch(text):
        raise LedgerError(f"{text!r} cannot be part of a lease's name; letters, digits and hyphens can.")
    return text


def _held(lease: Lease) -> str:
    run = lease.owner_run
    return (
        f"The endpoint {lease.endpoint} is held by rollout {lease.owner} (DAG {run.dag_id}, run {run.run_id}, "
        f"at {run.airflow}) until {lease.expires:%Y-%m-%d %H:%M:%S %Z}; wait for it to end, or end that run."
    )


def _stuck(endpoint: str) -> LedgerError:
    return LedgerError(
        f"The lease on {endpoint} changed at each of {_ROUNDS} attempts; look at who writes it."
    )
