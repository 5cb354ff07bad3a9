"""What a spec's replay section asks of one shard: its requests, and when each leaves."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from itertools import chain

from include.replay.captures import Captures
from include.replay.pacer import Constant, Copied, Pacer, Poisson, Ramp, Recorded, Share
from include.replay.reading import Place, files
from include.replay.redaction import Action, Redacted, Redaction, Rule
from include.replay.request import Request
from include.replay.source import Files, Report, Rows, cycled, repeated, share
from include.rollout.errors import ReplayError
from include.rollout.replay import RedactionSection, ReplaySection

_HELD = 4.0  # seconds of sending that may be unrecorded at most, see `reserve`
_LEAST_RESERVE = 100


def source(section: ReplaySection, place: Place) -> Rows | Files | Captures:
    """Return the source that lies at `place`, not yet read; its `report` counts what is read."""
    report = Report(limit=section.malformed)
    if section.kind == "captures":
        return Captures(
            where=place,
            since=None if section.since is None else section.since.timestamp(),
            until=None if section.until is None else section.until.timestamp(),
            report=report,
        )
    if section.kind == "files":
        return Files(where=place, content_type=section.content_type, report=report)
    return Rows(where=place, content_type=section.content_type, header=section.header, report=report)


def locate(section: ReplaySection, place: Place) -> None:
    """Raise ReplayError unless there is something to read; for a bucket this lists keys and reads no object."""
    read = source(section, place)
    found = files(place, wanted=read.wanted()) if isinstance(read, Captures) else files(place)
    if next(found, None) is None:
        ranged = section.since is not None or section.until is not None
        of = " of the time between since and until" if ranged else ""
        msg = f"{section.source} holds nothing{of}; check the source and its kind ({section.kind})"
        raise ReplayError(msg)


def redaction(section: RedactionSection, environment: Mapping[str, str] = os.environ) -> Redaction:
    """Return the redaction that the section means; raise ReplayError where hashes have no usable key."""
    key = environment.get(section.key, "").encode() if section.hashes else b""
    if section.hashes and len(key) < 16:
        found = f"has {len(key)} bytes" if key else "is not set"
        msg = f"values are to be hashed and the variable {section.key} {found}; set it to a secret of at least 16"
        raise ReplayError(msg)
    rules = tuple(
        Rule(
            action=Action(rule.action),
            where=rule.column if rule.column is not None else str(rule.path),
        )
        for rule in section.rules
    )
    return Redaction(rules=rules, key=key)


def requests(section: ReplaySection, read: Rows | Files | Captures, shard: int) -> Iterable[Request]:
    """Return the requests that a shard hands to its pacer, redacted, as often as they are to be sent.

    Copies of a request follow each other, so that of a shard's indices `i * copies` to
    `i * copies + copies - 1` are one request.
    """
    whole: Iterable[Request] = read
    if section.redaction is not None:
        whole = Redacted(
            requests=read,
            redaction=redaction(section.redaction),
            content_type=section.content_type,
            report=read.report,
        )
    whole = cycled(whole, section.passes)
    if section.pacer == "recorded":
        return whole  # the gaps of the whole recording matter: the pacer takes the shard's part
    return repeated(share(whole, shard, section.shards), section.copies)


def pacer(section: ReplaySection, shard: int) -> Pacer:
    """Return the shard's pacer; the pacers of all shards together send at the section's rate."""
    rate, seed = section.rate / section.shards, section.seed * 1000 + shard
    if section.pacer == "constant":
        return Constant(rate=rate)
    if section.pacer == "ramp":
        assert section.ramp_seconds is not None
        first = (section.ramp_from or 0.0) / section.shards
        return Ramp(first=first, last=rate, length=section.ramp_seconds, seed=seed)
    if section.pacer == "recorded":
        speed = 1.0 if section.speed is None else section.speed
        recorded = Recorded(speed=speed, longest_gap=section.longest_gap)
        return Copied(pacer=Share(pacer=recorded, shard=shard, shards=section.shards), copies=section.copies)
    return Poisson(rate=rate, seed=seed)


def limit(section: ReplaySection, shard: int) -> int | None:
    """Return how many requests the shard may send; all shards together send `count`."""
    if section.count is None:
        return None
    whole, rest = divmod(section.count, section.shards)
    return whole + (shard < rest)


def reserve(section: ReplaySection) -> int:
    """Return how many requests a shard may send ahead of its journal: some seconds at its highest rate.

    After a kill so many are uncertain at most, and nothing waits for the journal unless its store is
    slower than that.
    """
    rate = max(section.rate, section.ramp_from or 0.0) / section.shards * section.copies
    return max(_LEAST_RESERVE, math.ceil(_HELD * rate))


def parts(section: ReplaySection) -> str:
    """Say in a few words what is sent and how."""
    pace = {
        "poisson": f"{section.rate:g} requests/s at random times",
        "constant": f"{section.rate:g} requests/s at equal intervals",
        "ramp": f"{section.ramp_from or 0:g} to {section.rate:g} requests/s over {section.ramp_seconds or 0:g} s",
        "recorded": f"recorded requests at {section.speed or 1:g} times their own pace",
    }[section.pacer]
    ends = chain(
        () if section.count is None else (f"{section.count} requests",),
        () if section.passes is None else (_times(section.passes),),
        () if section.duration is None else (f"{section.duration:g} s",),
    )
    said = " or ".join(ends)
    top = ", together with live traffic" if section.top_up else ""
    copies = f", each {section.copies} times in a row" if section.copies > 1 else ""
    return f"{pace}{top}{copies}" + (f", at most {said}" if said else "")


def _times(passes: int) -> str:
    return "the source once" if passes == 1 else f"the source {passes} times"
