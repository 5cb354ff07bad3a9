"""What every step of one rollout works with: its ledger, its lease, its clients and a voice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from include.aws.clients import Clients
from include.aws.metrics import Variants
from include.ledger.lease import Lease, LeaseDesk, OwnerRun
from include.ledger.objects import Kind, Ledger
from include.ledger.store import Store
from include.rollout.baseline import Baseline
from include.rollout.errors import CloudError, FenceError, TerminalError
from include.rollout.names import moment, timestamp
from include.rollout.spec import RolloutSpec, recall
from include.rollout.stage import shadow_variant

_POLL = 30.0  # seconds, as AWS's own waiters; shorter where the deploy timeout is short


_MARGIN = 1800  # seconds on top of everything that a rollout may wait for
# Tag: until when at most the rollout needs the resource; NEVER once it was promoted.
EXPIRES = "penumbra:expires"
NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A step that must wait says so: for what, how often to look again, and until when at most.

    The step is called again with the Wait that it returned; `phase` and `attempts` are its memory between the calls.
    `endpoint` names the endpoint whose update is awaited, so that a waiter can look at it without the step.
    """

    what: str
    every: float  # seconds between looks
    until: datetime
    phase: str = ""
    attempts: int = 0
    endpoint: str = ""


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """One rollout in one process. `say` writes a line to the task's log."""

    id: str
    run: OwnerRun
    store: Store
    clients: Clients
    say: Callable[[str], None]
    owner_is_over: Callable[[Lease], bool | None] = field(default=lambda lease: None)

    @cached_property
    def ledger(self) -> Ledger:
        """Return this rollout's ledger."""
        return Ledger(self.store, self.id)

    @cached_property
    def leases(self) -> LeaseDesk:
        """Return the leases of this account and region."""
        return LeaseDesk(self.store, account=self.clients.account, region=self.clients.region)

    @cached_property
    def spec(self) -> RolloutSpec:
        """Return the spec as it was resolved when the rollout was opened."""
        return recall(self.ledger.require(Kind.SPEC)["spec"], f"the stored spec of rollout {self.id}")

    @cached_property
    def baseline(self) -> Baseline:
        """Return the endpoint's state before the rollout."""
        return Baseline.from_document(self.ledger.require(Kind.BASELINE))

    @property
    def variants(self) -> Variants:
        """Return whose metrics are compared."""
        baseline = self.baseline
        return Variants(
            endpoint=baseline.endpoint, production=baseline.variant, shadow=shadow_variant(baseline)
        )

    @property
    def tags(self) -> dict[str, str]:
        """Return the tags of everything that this rollout creates."""
        return {
            **self.baseline.tags,
            "penumbra:rollout": self.id,
            "penumbra:endpoint": self.baseline.endpoint,
            EXPIRES: timestamp(self.expires),
        }

    @property
    def expires(self) -> datetime:
        """Return the moment by which nothing that this rollout created is needed any more, unless it was promoted."""
        return moment(self.ledger.require(Kind.BASELINE)["written_at"]) + longest(self.spec)

    @property
    def poll(self) -> float:
        """Return how many seconds to wait between two looks at an update."""
        return min(_POLL, max(2.0, self.spec.deploy_timeout / 60))

    def now(self) -> datetime:
        """Return the service's time."""
        return self.clients.now()

    def stamp(self) -> datetime:
        """Return the time to write beside a note: the service's, or this machine's where SageMaker does not answer.

        That it does not answer is what must be written then; nothing is decided by a stamp.
        """
        try:
            return self.now()
        except CloudError:
            return datetime.now(UTC)

    def write(self, key: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Write to the ledger once, with a stamp; the first writer's words stand."""
        return self.ledger.write(key, document, at=self.stamp())

    def lease(self) -> Lease:
        """Return this rollout's lease as it counts now, or raise FenceError when another rollout has the endpoint."""
        lease = self.leases.current(self.baseline.endpoint)
        if lease is None or lease.owner != self.id:
            holder = "nobody" if lease is None else f"rollout {lease.owner}"
            raise FenceError(
                f"the lease on endpoint {self.baseline.endpoint} belongs to {holder} by now; this task stops here."
            )
        return lease

    def guard(self, lease: Lease) -> Callable[[], None]:
        """Return the check that every mutating call makes first: the lease must still count."""
        return lambda: self.leases.check(lease)

    def refuse_if_over(self) -> None:
        """Raise TerminalError when this rollout has ended: a new attempt needs a new run."""
        outcome = self.ledger.read(Kind.OUTCOME)
        if outcome is not None:
            raise TerminalError(
                f"rollout {self.id} ended as {outcome['end']}; it is never taken up again, so trigger a new run of {self.run.dag_id}."
            )

    def headline(self, stage: str) -> Callable[[str], None]:
        """Return a voice whose lines name the rollout and the stage."""
        return lambda line: self.say(f"[{self.id} {stage}] {line}")


def longest(spec: RolloutSpec) -> timedelta:
    """Return how long a rollout may last, whatever it waits for: updates, windows, guardrails, approval and watch."""
    window, promotion = spec.window, spec.promotion
    seconds = (
        4 * spec.deploy_timeout + window.opening + window.warm_up + 2 * window.maximum + window.lag + _MARGIN
    )
    seconds += promotion.held
    if promotion.guardrails is not None:
        seconds += promotion.guardrails.seconds
    if promotion.approval:
        seconds += promotion.approval_timeout
    if spec.endpoint.create is not None:
        seconds += 2 * spec.deploy_timeout
    if promotion.watch:
        seconds += window.warm_up + promotion.watch + window.lag + spec.deploy_timeout
    return timedelta(seconds=seconds)
