"""Shards of a rollout send what the spec asks for, once, whoever is killed and whoever retries."""

from __future__ import annotations

import gzip
import json
import operator
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from include.ledger.objects import Kind
from include.ledger.store import _locked
from include.replay.account import Account
from include.rollout.errors import ReplayError
from include.steps.replay import replay_shard
from tests.integration.replay.conftest import Serve
from tests.integration.replay.rollouts import opened
from tests.integration.replay.server import OK, Act, Server, answer

ROOT = Path(__file__).parents[3]


def capture(body: str, at: float, name: str = "caller") -> str:
    given = {"observedContentType": "text/csv", "mode": "INPUT", "data": body, "encoding": "CSV"}
    moment = f"2026-03-01T12:00:{at:09.6f}Z"
    return json.dumps(
        {
            "captureData": {"endpointInput": given, "endpointOutput": {**given, "mode": "OUTPUT"}},
            "eventMetadata": {"eventId": "e", "inferenceId": name, "inferenceTime": moment},
            "eventVersion": "0",
        }
    )


def rows(folder: Path, count: int) -> str:
    file = folder / "rows.csv"
    file.write_text("".join(f"{i},0.5\n" for i in range(count)))
    return str(file)


def sent(server: Server) -> Counter[bytes]:
    return Counter(body for _, body in server.seen)


def test_the_source_is_sent_as_often_as_asked_over_all_shards(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    replay = {"source": rows(tmp_path, 50), "passes": 2, "shards": 3, "rate": 300}
    rollout = opened(server.url, tmp_path / "ledger", replay)
    documents = [replay_shard(rollout, shard) for shard in range(3)]
    assert sum(document["account"]["answered"] for document in documents) == 100
    assert sent(server) == {f"{i},0.5".encode(): 2 for i in range(50)}
    assert len(set(server.ids)) == 100
    assert {name.rpartition("-")[0] for name in server.ids} == {f"pen-{rollout.id}-{s}" for s in range(3)}


def test_a_shard_that_is_done_is_never_sent_again(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    rollout = opened(server.url, tmp_path / "ledger", {"source": rows(tmp_path, 20), "passes": 1})
    first = replay_shard(rollout, 0)
    assert replay_shard(rollout, 0) == first
    assert len(server.seen) == 20


def test_count_and_duration_end_a_replay_whatever_the_source_holds(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    source = rows(tmp_path, 7)
    some = opened(server.url, tmp_path / "a", {"source": source, "count": 25, "shards": 2})
    assert [replay_shard(some, shard)["account"]["scheduled"] for shard in range(2)] == [13, 12]
    brief = {"source": source, "pacer": "constant", "rate": 50, "duration": 0.5}
    assert replay_shard(opened(server.url, tmp_path / "b", brief), 0)["account"]["scheduled"] == 25


def test_the_closed_window_ends_a_replay_that_would_go_on(serve: Serve, tmp_path: Path) -> None:
    def closing(request: int) -> Act:
        if request == 20:
            rollout.write(Kind.REPLAY_STOP, {"closed": "end"})
        return Act()

    server = serve(closing)
    rollout = opened(server.url, tmp_path / "ledger", {"source": rows(tmp_path, 7)})
    account = replay_shard(rollout, 0)["account"]
    assert account["scheduled"] == account["answered"] + sum(account["failed"].values()) + account["shed"]
    assert account["answered"] > 7


def test_captures_of_two_instances_are_sent_in_order_at_their_own_pace(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    hour = tmp_path / "churn" / "AllTraffic" / "2026" / "03" / "01" / "12"
    hour.mkdir(parents=True)
    lines = [capture(f"{i},1", i * 0.5) for i in range(40)]
    (hour / "a.jsonl").write_text("\n".join(lines[::2]))
    (hour / "b.jsonl.gz").write_bytes(
        gzip.compress("\n".join([*lines[1::2], capture("9", 5, "pen-x")]).encode())
    )
    replay = {
        "source": str(tmp_path / "churn" / "AllTraffic"),
        "kind": "captures",
        "since": "2026-03-01T12:00:01Z",
        "until": "2026-03-01T12:00:16Z",
        "pacer": "recorded",
        "speed": 10,
        "passes": 1,
    }
    document = replay_shard(opened(server.url, tmp_path / "ledger", replay), 0)
    assert [body for _, body in server.seen] == [f"{i},1".encode() for i in range(2, 32)]
    assert document["source"]["own"] == 1
    assert document["source"]["outside"] == 10
    account = Account.from_document(document["account"])
    assert account.started is not None
    assert account.ended is not None
    assert account.ended - account.started >= 1.44  # 29 gaps of 0.05 s


def test_all_shards_of_a_recording_are_the_recording(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    file = tmp_path / "captures.jsonl"
    file.write_text("\n".join(capture(f"{i},1", i * 0.01) for i in range(30)))
    replay = {
        "source": str(file),
        "kind": "captures",
        "pacer": "recorded",
        "passes": 1,
        "shards": 2,
        "copies": 2,
    }
    rollout = opened(server.url, tmp_path / "ledger", replay)
    for shard in range(2):
        replay_shard(rollout, shard)
    assert sent(server) == {f"{i},1".encode(): 2 for i in range(30)}


def test_a_folder_is_one_request_a_file(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    folder = tmp_path / "images"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.png").write_bytes(b"\x89PNG" + name.encode())
    replay = {"source": str(folder), "kind": "files", "content_type": "image/png", "passes": 1}
    replay_shard(opened(server.url, tmp_path / "ledger", replay), 0)
    assert sorted(sent(server)) == [b"\x89PNGa", b"\x89PNGb", b"\x89PNGc"]
    assert {headers["content-type"] for headers, _ in server.seen} == {"image/png"}


def test_what_is_redacted_never_leaves(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve()
    file = tmp_path / "rows.jsonl"
    file.write_text('{"name": "Ada", "card": "4000", "age": 36}\n' * 10)
    replay = {
        "source": str(file),
        "content_type": "application/json",
        "passes": 1,
        "redaction": {
            "rules": [{"path": "$.name", "action": "drop"}, {"path": "$.card", "action": "hash"}],
            "key": "A_KEY",
        },
    }
    rollout = opened(server.url, tmp_path / "ledger", replay)
    monkeypatch.delenv("A_KEY", raising=False)
    with pytest.raises(ReplayError, match="A_KEY is not set"):
        replay_shard(rollout, 0)
    assert server.seen == []
    monkeypatch.setenv("A_KEY", "0123456789abcdef")
    replay_shard(rollout, 0)
    bodies = {body for _, body in server.seen}
    assert len(bodies) == 1
    assert b"Ada" not in bodies.pop()
    assert not any(b"4000" in body for _, body in server.seen)


def test_too_many_malformed_records_fail_the_shard(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("".join("1,2,3\n" if i % 10 == 5 else "1,2\n" for i in range(300)))
    refused = opened(serve().url, tmp_path / "a", {"source": str(file), "passes": 1, "rate": 2000})
    with pytest.raises(ReplayError, match=r"records are bad and at most 1\.00%"):
        replay_shard(refused, 0)
    lenient = {"source": str(file), "passes": 1, "malformed": 0.2, "rate": 2000}
    document = replay_shard(opened(serve().url, tmp_path / "b", lenient), 0)
    assert (document["source"]["read"], document["bad_rows"]) == (300, 30)
    assert len(document["source"]["examples"]) == 20


def test_copies_are_neighbours_and_the_records_name_every_one(serve: Serve, tmp_path: Path) -> None:
    """Each request twice to production: what A/A/B needs is which two were the same request."""
    server = serve(lambda number: Act(answer(424)) if number % 5 == 0 else Act(OK))
    replay = {"source": rows(tmp_path, 100), "passes": 1, "copies": 2, "records": 1, "rate": 400}
    rollout = opened(server.url, tmp_path / "ledger", replay)
    document = replay_shard(rollout, 0)
    assert document["records"] == {"kept": 200, "lost": 0}
    (file,) = (tmp_path / "ledger" / "replays" / rollout.id / "0000").glob("*.parquet")
    table = pyarrow.parquet.read_table(file).to_pydict()
    assert sorted(table["index"]) == list(range(200))
    assert sorted(map("{}{}".format, table["prefix"], table["index"])) == sorted(server.ids)
    assert Counter(table["outcome"]) == {"answered": 160, "model_error": 40}
    assert Counter(table["status"]) == {200: 160, 424: 40}
    assert all(map(operator.le, table["scheduled"], table["sent"]))
    assert all(map(operator.le, table["sent"], table["ended"]))
    body = {headers["x-amzn-sagemaker-inference-id"]: body for headers, body in server.seen}
    name = f"pen-{rollout.id}-0-"
    assert all(
        body[f"{name}{i}"] == body[f"{name}{i + 1}"] == f"{i // 2},0.5".encode() for i in range(0, 200, 2)
    )


def attempt(server: Server, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.integration.replay.rollouts", server.url, str(folder), "0"]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(server: Server, count: int) -> None:
    for _ in range(1200):
        if len(server.seen) >= count:
            return
        time.sleep(0.05)
    raise AssertionError(f"the server saw {len(server.seen)} requests, not {count}")


def outcome(process: subprocess.Popen[str]) -> dict[str, Any]:
    said, errors = process.communicate(timeout=90)
    assert said, errors
    document: dict[str, Any] = json.loads(said)
    return document


def check(server: Server, document: dict[str, Any], entries: int) -> None:
    """No request was sent twice, and each has an outcome or is named as uncertain: exactly one of both."""
    account = Account.from_document(document["account"])
    uncertain = {index for first, end in document["uncertain"] for index in range(first, end)}
    seen = [int(name.rpartition("-")[2]) for name in server.ids]
    assert len(seen) == len(set(seen))
    assert account.scheduled + len(uncertain & set(range(entries))) == entries
    assert len(set(seen) - uncertain) == account.sent
    assert account.scheduled == account.answered + account.failures + account.shed


def test_a_killed_shard_and_its_retry_account_for_every_request(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    ledger = tmp_path / "ledger"
    opened(server.url, ledger, {"source": rows(tmp_path, 1600), "passes": 1, "rate": 150})
    first = attempt(server, ledger)
    wait_for(server, 300)
    first.kill()
    first.communicate()
    before = len(server.seen)
    document = outcome(attempt(server, ledger))
    assert document["uncertain"]
    check(server, document, 1600)
    resumed = min(int(name.rpartition("-")[2]) for name in server.ids[before:])
    assert resumed == document["uncertain"][-1][1]  # right behind what is uncertain


def test_an_orphan_and_its_retry_never_both_send_and_the_orphan_fails_nobody(
    serve: Serve, tmp_path: Path
) -> None:
    server = serve()
    ledger = tmp_path / "ledger"
    rollout = opened(server.url, ledger, {"source": rows(tmp_path, 2000), "passes": 1, "rate": 150})
    orphan = attempt(server, ledger)
    wait_for(server, 200)
    with _locked(
        ledger
    ):  # a process that is stopped, and not dead, would keep the folder's lock from its retry
        orphan.send_signal(signal.SIGSTOP)
        assert os.WIFSTOPPED(os.waitpid(orphan.pid, os.WUNTRACED)[1])
    retry = attempt(server, ledger)
    wait_for(server, len(server.seen) + 40)  # the retry sends
    orphan.send_signal(signal.SIGCONT)
    left = outcome(orphan)
    assert orphan.returncode == 0
    document = outcome(retry)
    check(server, document, 2000)
    stored = rollout.ledger.require("replay/0000")
    assert stored["account"] == document["account"] != left["account"]
