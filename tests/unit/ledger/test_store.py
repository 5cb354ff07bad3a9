"""The first writer wins, a swap needs the tag, and errors say what to do; in a folder and on S3."""

from __future__ import annotations

import hashlib
import http.server
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from include.ledger.store import Credentials, Store, StoreAccess
from include.rollout.errors import ConflictError, LedgerError

WRITERS = 12


def test_of_many_writers_of_one_key_exactly_one_wins_and_all_read_its_document(open_store):
    start = threading.Barrier(WRITERS)

    def write(writer):
        store = open_store()
        start.wait()
        return [store.put_once(f"tick/{n}", {"writer": writer}) for n in range(5)]

    with ThreadPoolExecutor(WRITERS) as pool:
        answers = list(pool.map(write, range(WRITERS)))
    store = open_store()
    for n in range(5):
        stored = store.get(f"tick/{n}")
        assert [answer[n] for answer in answers] == [stored] * WRITERS


def test_of_many_swaps_with_one_tag_exactly_one_succeeds_so_no_count_is_lost(open_store):
    open_store().replace("count", {"n": 0}, expected=None)
    start = threading.Barrier(8)

    def count(writer):
        store, done = open_store(), 0
        start.wait()
        while done < 5:
            document, tag = store.get_with_tag("count")
            try:
                store.replace("count", {"n": document["n"] + 1, "by": writer, "mine": done}, expected=tag)
                done += 1
            except ConflictError:
                pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(8)))
    assert open_store().get("count")["n"] == 40


def test_a_swap_gives_the_tag_that_the_next_one_needs(store):
    first = store.replace("lease", {"n": 1}, expected=None)
    assert store.get_with_tag("lease") == ({"n": 1}, first)
    second = store.replace("lease", {"n": 2}, expected=first)
    assert store.get_with_tag("lease") == ({"n": 2}, second)
    for stale in (first, None, '"never-seen"'):
        with pytest.raises(ConflictError, match="lease"):
            store.replace("lease", {"n": 3}, expected=stale)
    assert store.get("lease") == {"n": 2}
    with pytest.raises(ConflictError):
        store.replace("not there", {"n": 1}, expected=first)


def test_bytes_are_kept_as_they_are_and_the_second_writer_is_told(store):
    assert store.put_bytes_once("report.html", b"<p>\x00first", "text/html")
    assert not store.put_bytes_once("report.html", b"second", "text/html")
    assert store.put_bytes_once("report.html", b"<p>\x00first", "text/html")
    assert store.get_bytes("report.html") == b"<p>\x00first"
    with pytest.raises(LedgerError, match=r"report\.html is not a JSON document"):
        store.get("report.html")


def test_keys_are_sorted_and_listed_by_folder_and_never_hold_a_half_written_object(store):
    names = ["b/2026-01-01T00:00:10Z", "b/2026-01-01T00:00:00Z", "a", "bc/x"]
    for name in names:
        store.put_once(name, {})
    assert store.keys() == sorted(names)
    assert store.keys("b") == store.keys("b/") == ["b/2026-01-01T00:00:00Z", "b/2026-01-01T00:00:10Z"]
    assert store.keys("b", after="b/2026-01-01T00:00:00Z") == ["b/2026-01-01T00:00:10Z"]
    assert store.keys("b", limit=1) == ["b/2026-01-01T00:00:00Z"]
    assert store.keys("none") == []


def test_what_is_not_there_is_none_and_many_are_read_in_order(store):
    for n in range(5):
        store.put_once(f"n/{n}", {"n": n})
    assert store.get("n/9") is None
    assert store.get_many(["n/3", "n/9", "n/0", "n/1"]) == [{"n": 3}, None, {"n": 0}, {"n": 1}]


def test_a_key_cannot_leave_the_location(store):
    with pytest.raises(LedgerError, match=r"\.\."):
        store.get("../outside")


def test_a_location_that_is_neither_s3_nor_a_folder_is_refused():
    with pytest.raises(LedgerError, match="neither"):
        Store("gs://bucket/prefix")
    with pytest.raises(LedgerError, match="names no bucket"):
        Store("s3://")


def test_a_plain_path_and_a_file_url_are_the_same_place(tmp_path):
    Store(str(tmp_path / "x")).put_once("key", {"a": 1})
    assert Store(f"file://{tmp_path}/x/").get("key") == {"a": 1}


def test_a_missing_bucket_is_an_error_and_never_an_empty_ledger(s3_access):
    store = Store("s3://no-such-bucket-here/prefix", s3_access)
    actions = [
        lambda: store.get("spec"),
        store.keys,
        lambda: store.put_once("spec", {}),
        lambda: store.replace("spec", {}, expected=None),
        lambda: store.replace("spec", {}, expected='"x"'),
    ]
    for action in actions:
        with pytest.raises(LedgerError, match="the bucket does not exist; create it"):
            action()


def test_credentials_are_asked_for_again_when_they_expire_and_only_then(s3_url):
    asked = []

    def give(expiry):
        asked.append(expiry)
        return Credentials(access_key="test", secret_key="test", token="test", expiry=expiry)

    now = datetime.now(UTC)
    for expiry, often in (
        (now + timedelta(minutes=1), True),
        (now + timedelta(hours=1), False),
        (None, False),
    ):
        asked.clear()
        access = StoreAccess(
            region="eu-west-1", endpoint_url=s3_url, credentials=lambda expiry=expiry: give(expiry)
        )
        store = Store("s3://ledger-tests/credentials", access)
        for _ in range(3):
            store.get("spec")
            time.sleep(0.12)  # obstore asks at most ten times a second
        assert (len(asked) > 1) is often


def test_no_secret_shows_in_what_is_printed(s3_access):
    credentials = Credentials(access_key="AKIA", secret_key="hidden", token="hidden")
    assert "hidden" not in repr(credentials)
    assert repr(Store("s3://bucket/prefix", s3_access)) == "Store('s3://bucket/prefix')"


def test_a_process_forked_from_one_that_used_a_store_is_told_instead_of_waiting_for_ever(tmp_path):
    store = Store(str(tmp_path))
    store.put_once("spec", {})
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            Store(str(tmp_path)).get("spec")
        except LedgerError as error:
            os.write(write, str(error).encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read) as answer:
        assert "was forked from one that had used a store" in answer.read()


class LosingS3(http.server.BaseHTTPRequestHandler):
    """As much of S3 as conditional writes need; it loses the answers it is told to lose."""

    protocol_version = "HTTP/1.1"
    objects: dict[str, bytes]
    trouble: list[str]

    def do_GET(self):
        body = self.objects.get(self.path)
        self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>") if body is None else self._answer(
            200, body
        )

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        stored = self.objects.get(self.path)
        trouble = self.trouble.pop(0) if self.trouble else ""
        if trouble == "overlapping":
            return self._answer(409)
        wanted = self.headers.get("if-match")
        if stored is not None if wanted is None else stored is None or wanted != _etag(stored):
            return self._answer(412)
        if trouble == "refused":
            return self._answer(503)
        self.objects[self.path] = body
        if trouble == "overtaken":
            self.objects[self.path] = b'{"writer":"another"}'
        if trouble in ("cut", "overtaken"):
            self.close_connection = True
            return self.connection.close()
        return self._answer(500 if trouble == "lost" else 200, etag=_etag(body))

    def _answer(self, status, body=b"", etag=None):
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.send_header("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.send_header("etag", etag or _etag(body))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def _etag(body):
    return f'"{hashlib.md5(body).hexdigest()}"'


@pytest.fixture
def losing() -> Iterator[tuple[Store, type[LosingS3]]]:
    answering = type("Answering", (LosingS3,), {"objects": {}, "trouble": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    access = StoreAccess(
        region="eu-west-1",
        endpoint_url=f"http://127.0.0.1:{server.server_port}",
        credentials=lambda: Credentials(access_key="a", secret_key="b"),
    )
    yield Store("s3://bucket", access), answering
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("trouble", ["lost", "cut", "refused", "overlapping"])
def test_a_write_whose_answer_was_lost_is_recognised_as_done(losing, trouble):
    store, s3 = losing
    s3.trouble.append(trouble)
    assert store.put_once("tick", {"writer": "me"}) == {"writer": "me"}
    s3.trouble.append(trouble)
    assert store.put_bytes_once("page", b"mine", "text/html")
    s3.trouble.append(trouble)
    first = store.replace("lease", {"n": 1}, expected=None)
    s3.trouble.append(trouble)
    second = store.replace("lease", {"n": 2}, expected=first)
    assert store.get_with_tag("lease") == ({"n": 2}, second)
    assert not s3.trouble


def test_a_swap_whose_answer_was_lost_and_that_was_overtaken_is_a_conflict(losing):
    store, s3 = losing
    first = store.replace("lease", {"writer": "me"}, expected=None)
    s3.trouble.append("overtaken")
    with pytest.raises(ConflictError):
        store.replace("lease", {"writer": "me", "n": 2}, expected=first)
    assert store.get("lease") == {"writer": "another"}
