"""Killed, stopped and doubled shards: no request is sent twice, and every one is accounted for or named."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.integration.replay.conftest import Serve
from tests.integration.replay.server import Server

ROOT = Path(__file__).parents[3]


def attempt(server: Server, folder: Path, entries: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.integration.replay.shard", server.url, str(folder), str(entries)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(server: Server, count: int) -> None:
    for _ in range(600):
        if len(server.seen) >= count:
            return
        time.sleep(0.05)
    raise AssertionError(f"the server saw {len(server.seen)} requests, not {count}")


def indices(ranges: list[list[int]]) -> set[int]:
    return {index for first, end in ranges for index in range(first, end)}


def check(server: Server, outcome: dict[str, Any], entries: int) -> None:
    seen, uncertain = [int(name) for name in server.ids], indices(outcome["uncertain"])
    assert len(seen) == len(set(seen))  # nothing was sent twice
    assert outcome["scheduled"] + len(uncertain) == entries
    assert len(set(seen) - uncertain) == outcome["sent"]


def test_a_killed_shard_is_taken_up_by_its_retry_and_the_accounts_add_up(
    serve: Serve, tmp_path: Path
) -> None:
    server = serve()
    first = attempt(server, tmp_path, 1200)
    wait_for(server, 350)
    first.kill()
    first.communicate()
    said, errors = attempt(server, tmp_path, 1200).communicate(timeout=60)
    assert said, errors
    outcome = json.loads(said)
    assert outcome["attempt"] == 2
    assert outcome["uncertain"]
    check(server, outcome, 1200)


def test_an_orphan_that_wakes_up_after_its_retry_began_sends_nothing_more(
    serve: Serve, tmp_path: Path
) -> None:
    server = serve()
    orphan = attempt(server, tmp_path, 1400)
    wait_for(server, 250)
    orphan.send_signal(signal.SIGSTOP)
    retry = attempt(server, tmp_path, 1400)
    wait_for(server, len(server.seen) + 50)  # the retry sends
    orphan.send_signal(signal.SIGCONT)
    _, errors = orphan.communicate(timeout=60)
    assert orphan.returncode != 0
    assert "another attempt has taken over" in errors
    said, errors = retry.communicate(timeout=60)
    assert said, errors
    check(server, json.loads(said), 1400)


def test_an_interrupted_shard_ends_at_once_and_its_journal_holds_what_was_done(
    serve: Serve, tmp_path: Path
) -> None:
    server = serve()
    shard = attempt(server, tmp_path, 4000)
    wait_for(server, 200)
    shard.send_signal(signal.SIGINT)
    _, errors = shard.communicate(timeout=15)
    assert shard.returncode != 0
    assert "KeyboardInterrupt" in errors
    state = json.loads((tmp_path / "replay" / "0000.journal").read_text())
    assert state["account"]["scheduled"] > 0
    assert state["complete"] is False
