"""What a replay says of itself while it runs, and what it asks leave for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from include.replay.account import Account


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A replay under way: the account of all that has an outcome, and what has none yet."""

    elapsed: float  # seconds since the first scheduled time, warm-up included
    account: Account
    pending: tuple[int, ...]  # the indices under way
    next_index: int  # every lower index has an outcome or is pending; it and those above were not used

    def __str__(self) -> str:
        """Return one readable line."""
        account, p99 = self.account, self.account.latency.quantile(0.99)
        shown = "no answer yet" if p99 is None else f"p99 {p99 * 1e3:.1f} ms from schedule"
        return (
            f"{self.elapsed:.0f} s: {account.scheduled} scheduled = {account.answered} answered + "
            f"{account.failures} failed + {account.shed} shed; {len(self.pending)} in flight; {shown}"
        )


class Permit(Protocol):
    """Leave to send, which runs out unless it is renewed: so that two never send the same request."""

    until: float  # seconds of time.monotonic(): nothing is sent later
    horizon: int  # nothing with this index or a higher one is sent

    def keep(self, progress: Progress) -> None:
        """Renew the leave and store how far the replay has come; raise ReplayError if it is lost."""
        ...


class Unlimited:
    """Leave to send for ever, of one who cannot be doubled."""

    until = math.inf
    horizon: int = 1 << 62

    def keep(self, progress: Progress) -> None:
        """Nothing need be stored."""


def summary(account: Account) -> str:
    """Return the account as a few lines that a person can read; times in milliseconds."""
    if account.started is None or account.ended is None:
        return "nothing was scheduled"
    span = max(account.ended - account.started, 1e-9)
    failed = ", ".join(f"{count} {kind}" for kind, count in sorted(account.failed.items()) if count)
    statuses = ", ".join(f"{count} x {status}" for status, count in sorted(account.statuses.items()))
    lines = [
        f"{account.scheduled} scheduled = {account.answered} answered + {account.failures} failed + {account.shed} shed"
        f" in {span:.1f} s ({account.scheduled / span:.1f}/s)",
        f"failed: {failed or 'none'}; statuses: {statuses or 'none'}; {account.warm_up} more in the warm-up"
        + (f", {account.spared} spared" if account.spared else ""),
    ]
    for name, histogram in (
        ("latency from schedule", account.latency),
        ("service from sending", account.service),
        ("our own lateness", account.lateness),
    ):
        shown = [(q, histogram.quantile(q)) for q in (0.5, 0.9, 0.99, 1.0)]
        values = ", ".join(
            f"{'max' if q == 1 else f'p{q * 100:g}'} {value * 1e3:.2f}"
            for q, value in shown
            if value is not None
        )
        lines.append(f"{name} (ms): {values or 'nothing measured'}")
    return "\n".join(lines)
