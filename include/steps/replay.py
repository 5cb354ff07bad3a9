"""Send one shard's recorded requests while the window is open, and account for every one."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from include.aws import artifacts
from include.ledger.objects import Kind, replay_key
from include.ledger.store import Credentials as LedgerCredentials
from include.replay.account import Account
from include.replay.engine import Progress, replay
from include.replay.pacer import Constant, Pacer, Poisson
from include.replay.source import Rows, cycled, share
from include.replay.target import Credentials, Target
from include.rollout.errors import LedgerError
from include.rollout.names import inference_id
from include.steps.rollout import Rollout

_LATE_AFTER = 1.0  # seconds behind its time at which a request is shed
_ASK_EVERY = 1.0  # seconds between looks at the ledger's word to stop
_SAY_EVERY = 10.0


def replay_shard(
    rollout: Rollout, shard: int, *, unwatched: Callable[[], bool] = lambda: False
) -> dict[str, Any]:
    """Replay until the ledger says that the window is closed, and write the shard's account.

    The shards share source and rate. The replay is planned for as long as the window may at most be open, so that an
    extension finds traffic. `unwatched` says that nobody looks at the window any more: its monitor died, so nobody will
    close it either, and the replay ends. Raises ReplayError for a source that cannot be read.
    """
    rollout.refuse_if_over()
    known = rollout.ledger.read(replay_key(shard))
    if known is not None:
        return known
    spec = rollout.spec
    section, window = spec.replay, spec.window
    assert section is not None
    say = rollout.headline(f"replay {shard}")
    rows = Rows(where=artifacts.read(rollout.clients, section.source), content_type=section.content_type)
    rate = section.rate / section.shards
    seed = section.seed * 1000 + shard
    pacer: Pacer = Poisson(rate=rate, seed=seed) if section.pacer == "poisson" else Constant(rate=rate)
    # a person may extend the window by its maximum once more
    longest = window.opening + window.warm_up + 2 * window.maximum + 2 * window.lag + 10 * window.period
    rollout.write(f"{replay_key(shard)}.started", {"shard": shard, "rate": rate})
    say(
        f"sending {rate:g} requests/s from {section.source} to {spec.endpoint.name} until the window closes, at most {longest} s"
    )
    with _stop(rollout, unwatched) as stopped:
        account = replay(
            target=Target(
                endpoint=spec.endpoint.name,
                region=rollout.clients.region,
                base_url=rollout.clients.runtime_url,
                credentials=lambda: _credentials(rollout.clients.credentials()),
                content_type=section.content_type,
                timeout=section.timeout,
            ),
            requests=share(cycled(rows), shard, section.shards),
            pacer=pacer,
            duration=float(longest),
            limit=None,
            late_after=_LATE_AFTER,
            in_flight=section.in_flight,
            inference_id=lambda index: inference_id(rollout.id, shard, index),
            stopped=stopped.is_set,
            progress=lambda progress: say(_line(progress)),
            progress_every=_SAY_EVERY,
        )
    say(_summary(account))
    return rollout.write(
        replay_key(shard), {"shard": shard, "account": account.to_document(), "bad_rows": rows.report.bad}
    )


def counts(document: dict[str, Any]) -> dict[str, int]:
    """Return how many of a shard's requests were scheduled, answered and shed."""
    return {key: int(document["account"][key]) for key in ("scheduled", "answered", "shed")}


@contextlib.contextmanager
def _stop(rollout: Rollout, unwatched: Callable[[], bool]) -> Iterator[threading.Event]:
    """Give an event that is set once the window is closed or nobody watches it, looked up beside the engine's loop."""
    stopped, done = threading.Event(), threading.Event()

    def look() -> None:
        while not done.wait(_ASK_EVERY):
            with contextlib.suppress(LedgerError):  # an S3 that hiccups is asked again a second later
                if rollout.ledger.read(Kind.REPLAY_STOP) is not None or unwatched():
                    stopped.set()
                    return

    watcher = threading.Thread(target=look, name="replay-stop", daemon=True)
    watcher.start()
    try:
        yield stopped
    finally:
        done.set()
        watcher.join(timeout=5)


def _credentials(found: LedgerCredentials) -> Credentials:
    return Credentials(access_key=found.access_key, secret_key=found.secret_key, token=found.token)


def _line(progress: Progress) -> str:
    return str(progress)


def _summary(account: Account) -> str:
    failed = ", ".join(f"{count} {kind}" for kind, count in sorted(account.failed.items()) if count)
    return (
        f"{account.scheduled} scheduled = {account.answered} answered + {account.failures} failed + {account.shed} shed"
        + (f" ({failed})" if failed else "")
    )
