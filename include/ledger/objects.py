"""The catalogue of a rollout's objects, and the ledger that holds them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from include.ledger.canonical import canonical, digest
from include.ledger.store import Store
from include.rollout.errors import LedgerError, MissingError
from include.rollout.names import is_rollout_id, timestamp

__all__ = ["SCHEMA", "Kind", "Ledger", "canonical", "content", "deployment_key"]
__all__ += [
    "asked_key",
    "begun_key",
    "digest",
    "failure_key",
    "finding_key",
    "held_key",
    "kind_of",
    "notice_key",
    "removed_key",
    "replay_key",
    "reverted_key",
    "test_key",
    "tick_key",
    "watch_key",
    "watched_key",
    "withdrawn_key",
]

SCHEMA = 1
_READABLE = range(max(1, SCHEMA - 1), SCHEMA + 1)  # a new version still reads its predecessor's rollouts
_ENVELOPE = frozenset({"schema", "kind", "written_at"})
_TAIL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+-]*")


class Kind(StrEnum):
    """What an object is; its key is the kind, with a tail where a rollout has many of them."""

    OPEN = "open"  # who started it, when, for which endpoint
    SPEC = "spec"  # as resolved, with what was overridden
    PLAN = "plan"
    BASELINE = "baseline"  # the endpoint's complete state before the rollout
    CANDIDATE = "candidate"  # what was registered: package, model, config
    DEPLOYMENT = "deployment"  # deployment/<stage>
    WINDOW = "window"  # when both variants serve, warm-up and start
    THRESHOLDS = "thresholds"  # latencies fixed before the window, to count slower requests
    REPLAY = "replay"  # replay/<shard>: the shard's accounts
    REPLAY_STOP = "replay-stop"  # written when the replay is to end
    TICK = "tick"  # tick/<end of the period>
    EXTENSION = "extension"
    # metrics/<reading>: what AWS said of the closed window, while its captures are awaited
    METRICS = "metrics"
    EVIDENCE = "evidence"  # evidence/<reading>: what the gates were shown
    VALIDATION = "validation"  # validation/<reading>: Great Expectations' result, whole
    FINDING = "finding"  # finding/<reading>: one gate's, or all of a reading
    NOISE = "noise"  # what equal variants differ by, as it was known when the rollout was opened
    CALIBRATION = "calibration"  # what this A/A rollout taught about it
    VERDICT = "verdict"
    CONCLUDE = "conclude"  # conclude/<n>: what a person asked for
    TEST = "test"  # test/<n>: share of copies and end of the managed test, whoever set them
    DECISION = "decision"  # who, when, why, digest of the evidence
    APPROVAL = "approval"
    PROMOTION = "promotion"
    WATCH = "watch"  # watch/<end of the period>; watch/over: why it ended
    RESTORE = "restore"
    CLEANUP = "cleanup"
    FOREIGN = "foreign"  # a change of the endpoint that is not ours
    FAILURE = "failure"  # failure/<task>
    CRASH = "crash"  # settle found no decision that was carried out, and restores the endpoint
    ROLLBACK = "rollback"  # rollback/<n>: a person took a promotion back, asked and done
    COST = "cost"
    NOTICE = "notice"  # notice/question, notice/end: what people were told
    OUTCOME = "outcome"  # how the rollout ended; once written the rollout is terminal
    REPORT = "report.json"
    REPORT_PAGE = "report.html"


_KINDS = {kind.value: kind for kind in Kind}
_MANY = frozenset(
    {
        Kind.DEPLOYMENT,
        Kind.REPLAY,
        Kind.TICK,
        Kind.METRICS,
        Kind.EVIDENCE,
        Kind.VALIDATION,
        Kind.FINDING,
        Kind.CONCLUDE,
        Kind.TEST,
        Kind.WATCH,
        Kind.FAILURE,
        Kind.ROLLBACK,
        Kind.NOTICE,
    }
)


def kind_of(key: str) -> Kind:
    """Say what the object under `key` is; a key that the catalogue does not have is refused (LedgerError)."""
    head, slash, tail = key.partition("/")
    kind = _KINDS.get(head)
    if kind is not None and (_TAIL.fullmatch(tail) if kind in _MANY else not slash):
        return kind
    shapes = ", ".join(f"{kind}/…" if kind in _MANY else kind.value for kind in Kind)
    raise LedgerError(f"A rollout's ledger has no object {key!r}; it has {shapes}.")


def tick_key(end: datetime) -> str:
    """Name the look at the period that ends at `end`; names sort as the periods do, hence whole seconds."""
    return f"{Kind.TICK}/{_whole(end)}"


def watch_key(end: datetime) -> str:
    """Name the look at the promoted candidate after the period that ends at `end`."""
    return f"{Kind.WATCH}/{_whole(end)}"


def watched_key() -> str:
    """Name the note that the promoted candidate is watched no more: kept, or to be taken back; sorts behind the looks."""
    return f"{Kind.WATCH}/over"


def _whole(end: datetime) -> str:
    if end.microsecond:
        raise LedgerError(f"A tick ends at {end.isoformat()}; periods begin and end on whole seconds.")
    return timestamp(end)


def deployment_key(stage: str) -> str:
    """Name the deployment of a stage, or a note on the way there (`SHADOW.begun`), in lower case."""
    return f"{Kind.DEPLOYMENT}/{stage.lower()}"


def notice_key(about: str) -> str:
    """Name the notice that people were sent about something."""
    return f"{Kind.NOTICE}/{about}"


def begun_key(stage: str) -> str:
    """Name the note that an update towards a stage was about to be asked for."""
    return deployment_key(f"{stage}.begun")


def asked_key(stage: str) -> str:
    """Name the note that SageMaker took up an update towards a stage."""
    return deployment_key(f"{stage}.asked")


def held_key() -> str:
    """Name the note that the promotion waits for its window."""
    return deployment_key("promoted.held")


def withdrawn_key() -> str:
    """Name the note that a person called the promotion off while it waited."""
    return deployment_key("promoted.withdrawn")


def reverted_key() -> str:
    """Name the note that SageMaker took a guarded promotion back."""
    return deployment_key("promoted.reverted")


def removed_key() -> str:
    """Name the note that the endpoint that the rollout created is being removed, and at which end."""
    return deployment_key("removed.begun")


def replay_key(shard: int) -> str:
    """Name a replay shard's accounts; padded, so that names sort as the shards do."""
    return f"{Kind.REPLAY}/{shard:04d}"


def failure_key(task: str) -> str:
    """Name what a task failed with."""
    return f"{Kind.FAILURE}/{task}"


def finding_key(reading: str) -> str:
    """Name what a reading of the gates found."""
    return f"{Kind.FINDING}/{reading}"


def test_key(number: int) -> str:
    """Name the n-th note of what a managed test copies and when it ends; padded, so that names sort as they came."""
    return f"{Kind.TEST}/{number:04d}"


def content(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored document without its envelope: what is the same whoever wrote it, and when."""
    return {name: value for name, value in document.items() if name not in _ENVELOPE}


class Ledger:
    """The write-once record of one rollout, under `rollouts/<rollout id>/`."""

    def __init__(self, store: Store, rollout_id: str) -> None:
        if not is_rollout_id(rollout_id):
            raise LedgerError(f"{rollout_id!r} is not a rollout id; one has 12 characters of a-z and 2-7.")
        self.store = store
        self.rollout_id = rollout_id
        self._home = f"rollouts/{rollout_id}"

    def write(self, key: str, document: Mapping[str, Any], *, at: datetime | None = None) -> dict[str, Any]:
        """Write an object once; return what is stored: this document, or the one that was there first.

        `at` is the caller's now (the service's clock) and is stored as `written_at`.
        """
        kind = kind_of(key)
        envelope: dict[str, Any] = {"schema": SCHEMA, "kind": kind.value.removesuffix(".json")}
        if at is not None:
            envelope["written_at"] = at
        for name, value in envelope.items():
            if name != "written_at" and document.get(name, value) != value:
                raise LedgerError(f"The object {key} brings its own {name}; the ledger sets {name} itself.")
        return self._readable(key, self.store.put_once(f"{self._home}/{key}", {**document, **envelope}))

    def append(self, kind: Kind, document: Mapping[str, Any], *, at: datetime) -> str:
        """Write an object under the next free number of its kind and return its key; nothing is overwritten."""
        number = len(self.keys(f"{kind}/")) + 1
        while True:
            key = f"{kind}/{number:04d}"
            wanted = {**document, "schema": SCHEMA, "kind": kind.value, "written_at": at}
            if canonical(self.write(key, document, at=at)) == canonical(wanted):
                return key
            number += 1

    def write_page(self, key: str, body: bytes, content_type: str = "text/html; charset=utf-8") -> bool:
        """Write a page once; say whether these bytes are what is stored."""
        kind_of(key)
        return self.store.put_bytes_once(f"{self._home}/{key}", body, content_type)

    def read(self, key: str) -> dict[str, Any] | None:
        """Read an object, or None if it was not written (yet)."""
        kind_of(key)
        document = self.store.get(f"{self._home}/{key}")
        return None if document is None else self._readable(key, document)

    def require(self, key: str) -> dict[str, Any]:
        """Read an object that must be there; else raise MissingError."""
        document = self.read(key)
        if document is None:
            raise MissingError(
                f"The ledger of rollout {self.rollout_id} has no {key} (looked in {self.store.location}); the step "
                "that writes it has not run, or the ledger was moved."
            )
        return document

    def read_page(self, key: str = Kind.REPORT_PAGE) -> bytes | None:
        """Read a page's bytes, or None."""
        kind_of(key)
        return self.store.get_bytes(f"{self._home}/{key}")

    def read_many(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Read those of `keys` that exist, at once."""
        names = list(keys)
        found = self.store.get_many([f"{self._home}/{key}" for key in names])
        pairs = zip(names, found, strict=True)
        return {key: self._readable(key, document) for key, document in pairs if document is not None}

    def keys(self, prefix: str = "", *, after: str = "") -> list[str]:
        """List the objects below `prefix`, sorted, those up to and including `after` left out."""
        folder = f"{self._home}/{prefix}".rstrip("/")
        found = self.store.keys(folder, after=f"{self._home}/{after}" if after else "")
        return [key.removeprefix(f"{self._home}/") for key in found]

    def ticks(self, *, after: str = "") -> list[dict[str, Any]]:
        """Read the ticks in the order of their periods, those up to and including the key `after` left out."""
        return list(self.read_many(self.keys(f"{Kind.TICK}/", after=after)).values())

    def _readable(self, key: str, document: dict[str, Any]) -> dict[str, Any]:
        version = document.get("schema")
        if version not in _READABLE:
            raise LedgerError(
                f"The object {key} of rollout {self.rollout_id} has schema {version!r}; this version of Penumbra "
                f"reads {' and '.join(str(number) for number in _READABLE)}, use the one that wrote it."
            )
        return document
