"""Send one shard's recorded requests while the window is open, and account for every one."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from include.aws import metrics
from include.aws.clients import Clients
from include.ledger.objects import Kind, replay_key
from include.replay import schedule
from include.replay.account import Account
from include.replay.captures import Captures
from include.replay.engine import Progress, replay
from include.replay.journal import Journal, Outcome
from include.replay.location import located
from include.replay.records import Records
from include.replay.source import Files, Rows
from include.replay.target import Credentials, Target
from include.rollout.errors import CloudError, LedgerError, TakenOverError
from include.rollout.names import inference_id_prefix, inference_ids
from include.rollout.replay import ReplaySection
from include.rollout.window import floor_to
from include.steps.rollout import Rollout

_LATE_AFTER = 1.0  # seconds behind its time at which a request is shed
_ASK_EVERY = 0.4  # seconds between looks at the ledger's word to stop
_ASK_AIRFLOW = 3  # looks until Airflow is asked too, whose API server has others to serve
_HEAR_EVERY = 2.0
_SAY_EVERY = 10.0
_LIVE_PERIODS = 5  # whole periods over which live traffic is averaged


def replay_shard(
    rollout: Rollout, shard: int, *, unwatched: Callable[[], bool] = lambda: False
) -> dict[str, Any]:
    """Replay until the ledger says that the window is closed, and write the shard's account.

    The shards share source and rate. The replay is planned for as long as the window may at most be open, so that an
    extension finds traffic. `unwatched` says that nobody looks at the window any more: its monitor died, so nobody will
    close it either, and the replay ends. An attempt goes on behind the one before it; what that one may have sent
    unrecorded is listed as `uncertain`, and never sent again. An attempt that another has taken over sends nothing more,
    writes nothing, and returns its own part. Raises ReplayError for a source that cannot be read.
    """
    rollout.refuse_if_over()
    known = rollout.ledger.read(replay_key(shard))
    if known is not None:
        return known
    section = rollout.spec.replay
    assert section is not None
    say = rollout.headline(f"replay {shard}")
    read = schedule.source(section, located(section.source, rollout.clients.store_access()))
    requests = schedule.requests(section, read, shard)
    heard = _Heard(say)
    try:
        journal = Journal(
            rollout.store,
            f"replays/{rollout.id}/{shard:04d}/journal",
            reserve=schedule.reserve(section),
        )
    except TakenOverError as error:
        say(f"{error}")
        return _document(shard, Outcome(account=Account(), uncertain=(), complete=False), read, {})
    heard.before = journal.before.account
    if journal.before.complete:  # killed between its last request and its account
        return rollout.write(replay_key(shard), _document(shard, journal.before, read, {}))
    rollout.write(f"{replay_key(shard)}.started", {"shard": shard, "rate": section.rate / section.shards})
    say(_beginning(rollout, section, journal))
    limit = schedule.limit(section, shard)
    try:
        with (
            _stop(rollout, unwatched) as stopped,
            _live_traffic(rollout, section, heard, say) as live,
            _records(rollout, section, shard, journal.attempt) as records,
        ):
            account = replay(
                target=target(rollout.clients, rollout.spec.endpoint.name, section),
                requests=requests,
                pacer=schedule.pacer(section, shard),
                duration=min(_longest(rollout), section.duration or float("inf")),
                limit=None if limit is None else max(0, limit - journal.first_index),
                late_after=_LATE_AFTER,
                in_flight=section.in_flight,
                inference_id=inference_ids(rollout.id, shard),
                stopped=stopped.is_set,
                progress=heard,
                progress_every=_HEAR_EVERY,
                first_index=journal.first_index,
                permit=journal,
                records=records,
                part=None if live is None else lambda: live.share,
            )
        outcome = journal.close(account)
    except TakenOverError as error:
        say(f"{error}")
        partial = Outcome(
            account=journal.before.account + heard.account, uncertain=journal.before.uncertain, complete=False
        )
        return _document(shard, partial, read, {})
    say(_summary(outcome))
    kept = {"kept": records.kept, "lost": records.lost} if records is not None else {}
    return rollout.write(replay_key(shard), _document(shard, outcome, read, kept))


def locate_source(clients: Clients, section: ReplaySection) -> None:
    """Raise ReplayError, in one sentence, unless there is something to replay where the spec says."""
    schedule.locate(section, located(section.source, clients.store_access()))


def target(clients: Clients, endpoint: str, section: ReplaySection) -> Target:
    """Return the endpoint as the replay's target, as whoever the clients are."""

    def credentials() -> Credentials:
        found = clients.credentials()
        return Credentials(access_key=found.access_key, secret_key=found.secret_key, token=found.token)

    return Target(
        endpoint=endpoint,
        region=clients.region,
        base_url=clients.runtime_url,
        credentials=credentials,
        content_type=section.content_type,
        timeout=section.timeout,
    )


def counts(document: dict[str, Any]) -> dict[str, int]:
    """Return how many of a shard's requests were scheduled, answered and shed."""
    return {key: int(document["account"][key]) for key in ("scheduled", "answered", "shed")}


def live_share(rate: float, live: float) -> float:
    """Return the share of a replay of `rate` that makes `rate` together with `live`, all in requests per second."""
    return min(1.0, max(0.0, 1.0 - live / rate))


class _Heard:
    """Keeps the latest account, and says how it goes now and then."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.account = Account()
        self.before = Account()  # of earlier attempts
        self._say = say
        self._due = time.monotonic() + _SAY_EVERY

    def __call__(self, progress: Progress) -> None:
        self.account = progress.account
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _SAY_EVERY
            self._say(str(progress))

    def sent(self, begin: datetime, end: datetime) -> int:
        """Return how many requests scheduled in [begin, end) were sent."""
        whole = (self.before, self.account)
        return sum(account.sent_between(begin.timestamp(), end.timestamp()) for account in whole)


@dataclass
class LiveTraffic:
    """Measures by CloudWatch what live callers send, and says which share of the replay it leaves to be sent."""

    rollout: Rollout
    section: ReplaySection
    own: Callable[[datetime, datetime], int]  # requests that this shard sent between two moments
    say: Callable[[str], None]
    share: float = 1.0

    def measure(self) -> None:
        """Look at the last whole periods that CloudWatch tells by now; the replay's own requests are no live traffic."""
        rollout, window = self.rollout, self.rollout.spec.window
        end = floor_to(rollout.now() - timedelta(seconds=window.lag), window.period)
        begin = end - timedelta(seconds=_LIVE_PERIODS * window.period)
        counts = metrics.invocations(
            rollout.clients, rollout.variants, begin=begin, end=end, period=window.period
        )
        own = self.own(begin, end) * self.section.shards  # every shard sends the same share
        live = max(0.0, counts["production"] - own) / (end - begin).total_seconds()
        share = live_share(self.section.rate, live)
        if round(share, 2) != round(self.share, 2):
            self.say(f"live traffic is {live:.1f} requests/s, so {share:.0%} of the replay is sent")
        self.share = share


@contextlib.contextmanager
def _live_traffic(
    rollout: Rollout, section: ReplaySection, heard: _Heard, say: Callable[[str], None]
) -> Iterator[LiveTraffic | None]:
    """Give the measurement of live traffic, renewed every period, where the spec asks to top it up."""
    if not section.top_up:
        yield None
        return
    live, done = LiveTraffic(rollout=rollout, section=section, own=heard.sent, say=say), threading.Event()

    def measure() -> None:
        try:
            live.measure()
        except CloudError as error:  # what was measured last goes on to count
            say(f"live traffic could not be measured ({error}); {live.share:.0%} of the replay is sent")

    def keep_measuring() -> None:
        while not done.wait(rollout.spec.window.period):
            measure()

    measure()
    watcher = threading.Thread(target=keep_measuring, name="replay-live", daemon=True)
    watcher.start()
    try:
        yield live
    finally:
        done.set()
        watcher.join(timeout=5)


@contextlib.contextmanager
def _records(rollout: Rollout, section: ReplaySection, shard: int, attempt: int) -> Iterator[Records | None]:
    """Give the keeper of single requests' records, where the spec asks for any."""
    if section.records == 0:
        yield None
        return

    def write(number: int, body: bytes) -> None:
        key = f"replays/{rollout.id}/{shard:04d}/records-{attempt:02d}-{number:05d}.parquet"
        rollout.store.put_bytes_once(key, body, "application/octet-stream")

    prefix = f"{inference_id_prefix(rollout.id)}{shard}-"
    records = Records(write, share=section.records, prefix=prefix, copies=section.copies)
    try:
        yield records
    finally:
        records.close()


@contextlib.contextmanager
def _stop(rollout: Rollout, unwatched: Callable[[], bool]) -> Iterator[threading.Event]:
    """Give an event that is set once the window is closed or nobody watches it, looked up beside the engine's loop."""
    stopped, done = threading.Event(), threading.Event()

    def look() -> None:
        looks = 0
        while not done.wait(_ASK_EVERY):
            looks += 1
            with contextlib.suppress(LedgerError):  # an S3 that hiccups is asked again at the next look
                told = rollout.ledger.read(Kind.REPLAY_STOP) is not None
                if told or (looks % _ASK_AIRFLOW == 0 and unwatched()):
                    stopped.set()
                    return

    watcher = threading.Thread(target=look, name="replay-stop", daemon=True)
    watcher.start()
    try:
        yield stopped
    finally:
        done.set()
        watcher.join(timeout=5)


def _longest(rollout: Rollout) -> float:
    """Return the seconds that the window may at most be open: a person may extend it by its maximum once more."""
    window = rollout.spec.window
    return float(window.opening + window.warm_up + 2 * window.maximum + 2 * window.lag + 10 * window.period)


def _beginning(rollout: Rollout, section: ReplaySection, journal: Journal) -> str:
    of = f" as one of {section.shards} shards" if section.shards > 1 else ""
    again = ""
    if journal.attempt > 1:
        again = f"; attempt {journal.attempt} goes on at request {journal.first_index}, {journal.before.uncertain_count} before it are uncertain"
    return (
        f"sending {schedule.parts(section)}{of} from {section.source} to {rollout.spec.endpoint.name} until the window "
        f"closes, at most {_longest(rollout):g} s{again}"
    )


def _document(
    shard: int, outcome: Outcome, read: Rows | Files | Captures, records: Mapping[str, int]
) -> dict[str, Any]:
    report = read.report
    return {
        "shard": shard,
        "account": outcome.account.to_document(),
        "uncertain": [list(pair) for pair in outcome.uncertain],
        "bad_rows": report.bad,
        "source": {
            "read": report.read,
            "bad": report.bad,
            "examples": list(report.examples),
            "own": report.own,
            "outside": report.outside,
            "late": report.late,
        },
        "records": dict(records),
    }


def _summary(outcome: Outcome) -> str:
    account = outcome.account
    failed = ", ".join(f"{count} {kind}" for kind, count in sorted(account.failed.items()) if count)
    return (
        f"{account.scheduled} scheduled = {account.answered} answered + {account.failures} failed + {account.shed} shed"
        + (f" ({failed})" if failed else "")
        + (f"; {account.spared} spared, live traffic stood in for them" if account.spared else "")
        + (f"; {outcome.uncertain_count} uncertain after a kill" if outcome.uncertain else "")
    )
