"""Send recorded requests to an endpoint, outside any rollout, and see how it answers."""

from __future__ import annotations

import argparse
import json
import re
import secrets
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, get_args

from rich.console import Console

from include.aws.faults import calling
from include.cli.access import aws_arguments, clients_of
from include.cli.gauge import Gauge
from include.replay import schedule
from include.replay.account import Account
from include.replay.engine import replay
from include.replay.location import located
from include.replay.progress import summary
from include.replay.records import Records
from include.replay.source import Report
from include.rollout.errors import LedgerError, RolloutError, SpecError
from include.rollout.names import inference_id_prefix, inference_ids, rollout_id
from include.rollout.replay import ReplaySection
from include.rollout.spec import parse
from include.steps.replay import target

_LATE_AFTER = 1.0  # seconds behind its time at which a request is shed
_PATH = re.compile(r"^(replay|endpoint)(?:\.([a-z_]+(?:\.[a-z0-9_]+)*))?(?::\s)?")
_STOPPED = 130  # the exit status of a program that Ctrl-C ended

_EXAMPLES = """\
examples:
  %(prog)s --endpoint churn --source requests.csv --rate 50
      every row once, at 50 requests per second at random times
  %(prog)s --endpoint churn --source s3://bucket/captures/churn/AllTraffic --kind captures \\
      --since 2026-03-01T12:00Z --until 2026-03-01T13:00Z --pacer recorded --speed 2
      an hour of production's own traffic, twice as fast as it came
  %(prog)s --endpoint churn --source requests.csv --pacer ramp --rate 500 --ramp-seconds 300 --duration 360
      how much can it take?

Requests leave at their times whatever the answers do, and latency counts from those times, so that an endpoint that
stalls shows it. Ctrl-C ends the replay within a second; what was measured until then is kept.

The exit status is 0 if requests were answered, 1 if none was, 2 if the replay could not run, 130 after Ctrl-C."""

_SOURCE = ("source", "kind", "content_type", "since", "until", "malformed")
_PACE = (
    ("rate", "requests per second; of a ramp: those at its end; must be given unless the pacer is recorded"),
    ("pacer", "how the requests are spread over time"),
    ("ramp_from", None),
    ("ramp_seconds", None),
    ("speed", None),
    ("longest_gap", None),
    ("seed", "the same seed gives the same times"),
)
_ENDS = (
    (
        "passes",
        "how often the whole source is sent; default: once, or again and again with --count or --duration",
    ),
    ("count", "requests after which the replay ends"),
    ("duration", "seconds after which the replay ends"),
    ("copies", "how often each request is sent in a row"),
)
_CHOICES = ("kind", "pacer")
_METAVARS = {
    "source": "PLACE",
    "content_type": "TYPE",
    "since": "TIME",
    "until": "TIME",
    "malformed": "SHARE",
    "records": "SHARE",
    "duration": "SECONDS",
    "ramp_seconds": "SECONDS",
    "longest_gap": "SECONDS",
    "timeout": "SECONDS",
}
_LIMITS = (("in_flight", "most unanswered requests; what is beyond is shed"), ("timeout", None))


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments; what a field means is said by the spec's own model."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    parser.add_argument("--endpoint", required=True, help="the SageMaker endpoint that is sent to")
    source = parser.add_argument_group("what is sent")
    for name in _SOURCE:
        _field(source, name)
    source.add_argument(
        "--header", action="store_true", help="the first line of each file names columns and is not sent"
    )
    source.add_argument(
        "--redact",
        action="append",
        default=[],
        metavar="ACTION:PLACE",
        help="drop, mask or hash a column of CSV (hash:3) or a place in JSON (mask:$.customer.name) before sending; "
        "may be given several times; the key of hashes is in PENUMBRA_REDACTION_KEY",
    )
    for title, fields in (("when it is sent", _PACE), ("when it ends", _ENDS), ("limits", _LIMITS)):
        group = parser.add_argument_group(title)
        for name, about in fields:
            _field(group, name, about)
    kept = parser.add_argument_group("what is kept")
    kept.add_argument("--keep", metavar="FOLDER", help="folder for the results; default: replay-<time> here")
    _field(
        kept,
        "records",
        "share of the requests whose times and outcome are kept one by one (records-*.parquet)",
    )
    aws_arguments(parser)


def run(chosen: argparse.Namespace) -> int:
    """Replay, show how it goes, keep and print what came of it."""
    section = section_of(chosen)
    clients = clients_of(chosen)
    with calling("Looking for the region and the runtime's address"):
        sent_to = target(clients, chosen.endpoint, section)
    read = schedule.source(section, located(section.source, clients.store_access()))
    requests = schedule.requests(section, read, 0)
    known = rollout_id("replay", secrets.token_hex(8))
    folder, is_new = _folder(chosen.keep)
    console = Console()
    line = f"sending {schedule.parts(section)} from {section.source} to {chosen.endpoint}; Ctrl-C ends it"
    console.print(line, markup=False, highlight=False, soft_wrap=True)
    gauge = Gauge(console)
    account, failure = Account(), None
    with _stopped_by_signals() as stopped, gauge, _records(section, known, folder) as records:
        try:
            account = replay(
                target=sent_to,
                requests=requests,
                pacer=schedule.pacer(section, 0),
                duration=section.duration,
                limit=section.count,
                late_after=_LATE_AFTER,
                in_flight=section.in_flight,
                inference_id=inference_ids(known, 0),
                stopped=stopped.is_set,
                progress=gauge,
                progress_every=gauge.every,
                records=records,
            )
        except RolloutError as error:  # what was measured until then is kept and shown all the same
            account, failure = gauge.account, error
        except KeyboardInterrupt:  # a second Ctrl-C: not even the end of the first is waited for
            account = gauge.account
    if failure is not None and account.scheduled == 0 and is_new and not any(folder.iterdir()):
        folder.rmdir()  # nothing was measured
        raise failure
    _write(folder, chosen, section, account, read.report, stopped=stopped.is_set())
    if stopped.is_set():
        print("stopped; this is what was done until then:")
    print(summary(account))
    for line in _about_source(read.report):
        print(line)
    if records is not None and records.lost:
        print(f"the records of {records.lost} requests could not be stored")
    print(f"kept in {folder}")
    if failure is not None:
        raise failure
    if stopped.is_set():
        return _STOPPED
    return 0 if account.answered else 1


def section_of(chosen: argparse.Namespace) -> ReplaySection:
    """Return what the options ask for, as a spec would say it; SpecError names every mistake at once."""
    names = ReplaySection.model_fields
    given: dict[str, Any] = {
        name: value for name, value in vars(chosen).items() if name in names and value is not None
    }
    rules, problems = [], []
    for text in chosen.redact:
        action, colon, place = text.partition(":")
        if colon and place:
            rules.append({"action": action, ("column" if place.isdecimal() else "path"): place})
        else:
            problems.append(f"--redact is {text!r}; write it like hash:3 or mask:$.customer.name")
    if rules:
        given["redaction"] = {"rules": rules}
    if not given.keys() & {"passes", "count", "duration"}:
        given["passes"] = 1
    if given.get("pacer") == "recorded":
        given.setdefault("rate", 1.0)  # a recording has its own; a rate is for plans alone
    document = {
        "endpoint": {"name": chosen.endpoint},
        "side_effect_free": True,
        "candidate": {"image": "none"},  # a spec has one; here nothing is rolled out
        "replay": given,
    }
    section = None
    try:
        section = parse(document, "").replay
    except SpecError as error:
        problems += [_PATH.sub(_option, problem) for problem in error.problems]
    if problems:
        raise SpecError("the command line", tuple(problems))
    assert section is not None
    return section


def _option(found: re.Match[str]) -> str:
    """Name a field of a spec as the option that it came from."""
    section, field = found.groups()
    if section == "endpoint":
        return "--endpoint"
    if field is None:
        return ""
    return "--redact" if field.startswith("redaction") else f"--{field.replace('_', '-')}"


def _field(group: argparse._ArgumentGroup, name: str, about: str | None = None) -> None:
    field = ReplaySection.model_fields[name]
    said = about or (field.description or "").replace("`", "") or "content type of every request"
    if field.default not in (None, 0) and not field.is_required() and "default" not in said:
        said += f"; default: {field.default}"
    choices = get_args(field.annotation) if name in _CHOICES else ()
    group.add_argument(
        f"--{name.replace('_', '-')}",
        required=name == "source",
        metavar="|".join(choices) or _METAVARS.get(name, "NUMBER"),
        help=said.replace("%", "%%"),
    )


def _folder(named: str | None) -> tuple[Path, bool]:
    """Return the folder for the results, and whether it was made for them."""
    folder = Path(named or f"replay-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(
            f"the results cannot be kept in {folder} ({error.strerror}); name another folder with --keep."
        ) from error
    if (folder / "account.json").exists():
        raise LedgerError(f"{folder} already has the results of a replay; name another folder with --keep.")
    return folder, is_new


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C or a termination sets; a second one ends the program at once."""
    stopped = threading.Event()

    def stop(number: int, _frame: FrameType | None) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _records(section: ReplaySection, known: str, folder: Path) -> Iterator[Records | None]:
    if section.records == 0:
        yield None
        return

    def write(number: int, body: bytes) -> None:
        try:
            (folder / f"records-{number:05d}.parquet").write_bytes(body)
        except OSError as error:
            raise LedgerError(f"{folder} cannot be written to ({error.strerror})") from error

    prefix = f"{inference_id_prefix(known)}0-"
    records = Records(write, share=section.records, prefix=prefix, copies=section.copies)
    try:
        yield records
    finally:
        records.close()


def _write(
    folder: Path,
    chosen: argparse.Namespace,
    section: ReplaySection,
    account: Account,
    report: Report,
    *,
    stopped: bool,
) -> None:
    document = {
        "endpoint": chosen.endpoint,
        "replay": section.model_dump(mode="json"),
        "stopped": stopped,
        "account": account.to_document(),
        "source": {
            name: getattr(report, name) for name in ("read", "bad", "own", "outside", "late", "examples")
        },
    }
    try:
        (folder / "account.json").write_text(json.dumps(document, indent=2) + "\n")
    except OSError as error:
        print(f"the account could not be kept in {folder}: {error.strerror}", file=sys.stderr)


def _about_source(report: Report) -> Iterator[str]:
    left_out = [
        f"{count} {words}"
        for count, words in (
            (report.own, "of our own replays left out"),
            (report.outside, "outside the time range left out"),
            (report.late, "out of order"),
        )
        if count
    ]
    yield f"source: {', '.join([f'{report.read} records read', f'{report.bad} malformed', *left_out])}"
    for example in report.examples[:3]:
        yield f"  malformed: {example}"
