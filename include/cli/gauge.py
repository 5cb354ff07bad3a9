"""A replay under way, as a terminal shows it: figures in place, or a line now and then."""

from __future__ import annotations

import threading
import time
from collections import deque
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from include.replay.account import Account
from include.replay.histogram import Histogram
from include.replay.progress import Progress

_LIVE_EVERY = 0.25  # seconds between two pictures on a terminal
_LINE_EVERY = 10.0  # seconds between two lines elsewhere
_RECENT = 5.0  # seconds over which the present rate is averaged


class Gauge:
    """Shows what it is told; on a terminal in place, elsewhere (a file, a build's log) line by line.

    To be used as a context manager. May be called from any thread.
    """

    def __init__(self, console: Console) -> None:
        self.account = Account()
        self.every = _LIVE_EVERY if console.is_terminal else _LINE_EVERY
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._recent: deque[tuple[float, int]] = deque()
        self._lock = threading.Lock()

    def __enter__(self) -> Gauge:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, progress: Progress) -> None:
        """Show how far the replay is."""
        with self._lock:
            self.account = progress.account
            if self._console.is_terminal:
                self._live.update(self._picture(progress), refresh=True)
            else:
                self._console.print(str(progress), highlight=False, soft_wrap=True)

    def _picture(self, progress: Progress) -> Table:
        account = progress.account
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", justify="right")
        table.add_column()
        table.add_row("running", f"{progress.elapsed:.0f} s, {self._rate(account):.1f} requests/s now")
        table.add_row(
            "requests",
            f"{account.scheduled} scheduled = {account.answered} answered + {account.failures} failed + "
            f"{account.shed} shed; {len(progress.pending)} in flight",
        )
        if account.failures:
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(account.failed.items()) if count)
            table.add_row("failed", f"[red]{kinds}[/red]")
        table.add_row("latency", f"{quantiles(account.latency)} from the scheduled time")
        table.add_row("lateness", f"{quantiles(account.lateness)} our own, of leaving")
        return table

    def _rate(self, account: Account) -> float:
        """Return how many requests a second were scheduled lately."""
        now = time.monotonic()
        self._recent.append((now, account.scheduled))
        while now - self._recent[0][0] > _RECENT:
            self._recent.popleft()
        began, count = self._recent[0]
        return (account.scheduled - count) / (now - began) if now > began else 0.0


def quantiles(histogram: Histogram) -> str:
    """Return p50, p90 and p99 in milliseconds, or a dash for each before there is anything."""
    found = [(q, histogram.quantile(q)) for q in (0.5, 0.9, 0.99)]
    return ", ".join(
        f"p{q * 100:g} {'–' if value is None else f'{value * 1e3:.2f} ms'}" for q, value in found
    )
