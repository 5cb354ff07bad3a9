"""`python -m include.cli replay` against a real server: what it says, keeps and returns."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from include.replay.account import Account
from tests.integration.replay.conftest import Serve
from tests.integration.replay.server import Act, Server, answer

ROOT = Path(__file__).parents[3]


def command(server: Server, source: Path, folder: Path, *options: str) -> list[str]:
    given = ["--endpoint", "churn", "--source", str(source), "--keep", str(folder), *options]
    place = ["--region", "eu-west-1", "--endpoint-url", server.url]
    return [sys.executable, "-m", "include.cli", "replay", *given, *place]


def environment() -> dict[str, str]:
    keys = {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "b", "COLUMNS": "120", "TERM": "xterm"}
    return {**os.environ, **keys, "PYTHONPATH": str(ROOT)}


def started(server: Server, source: Path, folder: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(server, source, folder, *options),
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def rows(folder: Path, count: int) -> Path:
    file = folder / "rows.csv"
    file.write_text("".join(f"{i},0.5\n" for i in range(count)) + "odd\n")
    return file


def kept(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "account.json").read_text())
    return document


def wait_for(server: Server, count: int) -> None:
    for _ in range(1200):
        if len(server.seen) >= count:
            return
        time.sleep(0.05)
    raise AssertionError(f"the server saw {len(server.seen)} requests, not {count}")


def test_every_row_is_sent_once_and_the_summary_tells_what_became_of_it(serve: Serve, tmp_path: Path) -> None:
    server = serve(lambda number: Act(answer(424)) if number % 10 == 0 else Act())
    options = ("--rate", "300", "--malformed", "0.05", "--records", "1")
    process = started(server, rows(tmp_path, 100), tmp_path / "out", *options)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "100 scheduled = 90 answered + 10 failed + 0 shed" in said
    assert "10 model_error" in said
    assert "101 records read, 1 malformed" in said
    assert "the row has 1 columns where the first has 2" in said
    assert sorted(body for _, body in server.seen) == sorted(f"{i},0.5".encode() for i in range(100))
    document = kept(tmp_path / "out")
    assert Account.from_document(document["account"]).answered == 90
    assert document["stopped"] is False
    assert (tmp_path / "out" / "records-00000.parquet").exists()
    assert errors == ""


def test_results_are_never_overwritten(serve: Serve, tmp_path: Path) -> None:
    server, source = serve(), rows(tmp_path, 5)
    options = ("--rate", "300", "--malformed", "0.5")
    started(server, source, tmp_path / "out", *options).communicate(timeout=60)
    before = kept(tmp_path / "out")
    again = started(server, source, tmp_path / "out", *options)
    assert "already has the results" in again.communicate(timeout=60)[1]
    assert again.returncode == 2
    assert kept(tmp_path / "out") == before


def test_an_endpoint_that_answers_nothing_is_a_no(serve: Serve, tmp_path: Path) -> None:
    server = serve(lambda _: Act(b"", then="reset"))
    process = started(server, rows(tmp_path, 10), tmp_path / "out", "--rate", "300", "--malformed", "0.5")
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "10 connection" in said


def test_a_stop_ends_it_and_keeps_and_tells_what_was_done(serve: Serve, tmp_path: Path) -> None:
    server = serve(lambda number: Act(delay=60) if number % 20 == 0 else Act())
    options = ("--rate", "200", "--duration", "600", "--malformed", "0.05")
    process = started(server, rows(tmp_path, 100), tmp_path / "out", *options)
    wait_for(server, 150)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=20)  # answers would take a minute
    assert process.returncode == 130, errors
    assert "stopped; this is what was done until then" in said
    document = kept(tmp_path / "out")
    account = Account.from_document(document["account"])
    assert document["stopped"] is True
    assert account.sent == len(server.seen)
    assert account.failed["abandoned"] == len(range(0, len(server.seen), 20))


def test_a_source_that_turns_bad_keeps_what_was_measured(serve: Serve, tmp_path: Path) -> None:
    source = tmp_path / "rows.csv"
    source.write_text("1,2\n" * 300 + "odd\n" * 50)
    process = started(serve(), source, tmp_path / "out", "--rate", "500")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "records are bad and at most 1.00%" in errors
    account = Account.from_document(kept(tmp_path / "out")["account"])
    assert account.scheduled == account.answered + account.failures + account.shed > 200


def test_a_terminal_shows_it_in_place(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    options = ("--rate", "100", "--duration", "3", "--malformed", "0.05")
    line = command(server, rows(tmp_path, 50), tmp_path / "out", *options)
    terminal, ours = pty.openpty()
    process = subprocess.Popen(line, cwd=ROOT, env=environment(), stdout=ours, stderr=ours)
    os.close(ours)
    shown = b""
    while True:
        try:
            more = os.read(terminal, 65536)
        except OSError:  # Linux says so when the other side is closed
            break
        if not more:
            break
        shown += more
    os.close(terminal)
    assert process.wait(timeout=20) == 0
    assert shown.count(b"requests/s now") >= 3
    assert b"\x1b[2K" in shown  # lines are written over
    assert b"from the scheduled time" in shown
    assert b"scheduled = " in shown.rpartition(b"\x1b[2K")[2]  # the summary stands at the end
