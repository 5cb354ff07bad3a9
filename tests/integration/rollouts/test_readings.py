"""The judge waits for an AWS that does not answer and for captures that are late, and loses nothing over it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.ledger.objects import Kind
from include.rollout.errors import CloudError
from include.rollout.verdict import Verdict
from include.steps.judge import take_reading
from include.steps.observe import Closed
from include.steps.rollout import Wait
from tests.integration.rollouts.conftest import BUCKET, Drive, note_window

Make = Callable[..., Drive]
BROKEN: dict[str, Any] = {"operation": "GetMetricData", "code": "InternalError", "status": 500, "times": None}


def read(run: Drive, wait: Wait | None = None) -> Verdict | Wait:
    return take_reading(run.rollout, Closed.END, wait, sleep=lambda _: None)


def test_a_broken_cloudwatch_is_asked_again_for_a_quarter_of_an_hour(
    drive: Make, faults: Callable[..., None]
) -> None:
    run = drive()
    run.open()
    note_window(run)
    faults(**BROKEN)
    first = read(run)
    assert isinstance(first, Wait)
    left = first.until - datetime.now(UTC)
    assert timedelta(minutes=10) < left <= timedelta(minutes=15)
    again = read(run, first)
    assert isinstance(again, Wait)
    assert again.until == first.until  # counted from the first silence, however often it is asked
    assert any("InternalError" in line and "Asking again" in line for line in run.lines)
    with pytest.raises(CloudError, match="InternalError"):
        read(run, replace(again, until=datetime.now(UTC)))
    assert run.rollout.ledger.read("finding/1") is None


def test_what_asking_again_cannot_mend_fails_at_once(drive: Make, faults: Callable[..., None]) -> None:
    run = drive()
    run.open()
    note_window(run)
    faults(**{**BROKEN, "code": "AccessDenied", "status": 403})
    with pytest.raises(CloudError, match="AccessDenied"):
        read(run)


def test_captures_are_waited_for_and_what_was_read_before_is_what_is_judged(
    drive: Make, faults: Callable[..., None]
) -> None:
    run = drive(capture={"destination": f"s3://{BUCKET}/none"}, pairs={"threshold": 0.5, "delivery": 300})
    run.open()
    seen = note_window(run)
    run.rollout.write(f"{Kind.METRICS}/1", seen.to_document())
    faults(**BROKEN)  # nothing is read twice
    waiting = read(run)
    assert isinstance(waiting, Wait)
    assert waiting.until == seen.end + timedelta(seconds=300)
    assert run.rollout.ledger.read("evidence/1") is None


def test_captures_that_never_come_are_judged_as_missing(drive: Make) -> None:
    run = drive(capture={"destination": f"s3://{BUCKET}/none"}, pairs={"threshold": 0.5, "delivery": 0})
    run.open()
    seen = note_window(run)
    run.rollout.write(f"{Kind.METRICS}/1", seen.to_document())
    assert read(run) is Verdict.INCONCLUSIVE
    evidence = run.rollout.ledger.require("evidence/1")
    assert evidence["production"] == [row.to_document() for row in seen.production]
    assert evidence["pairs"]["all"]["n"] == 0
