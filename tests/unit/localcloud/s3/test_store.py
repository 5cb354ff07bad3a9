"""Objects are whole, conditions hold at the commit, listings are in S3's order, and all of it is on disk."""

import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.localcloud.clock import Clock
from include.localcloud.s3.condition import WriteCondition
from include.localcloud.s3.error import S3Error
from include.localcloud.s3.store import ObjectStore

Run = Callable[[Any], Any]
ABSENT = WriteCondition(if_none_match="*")


def code(caught: pytest.ExceptionInfo[S3Error]) -> str:
    return caught.value.code


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 64 * 1024 + 1, 1_000_000])
def test_what_was_put_is_read_back_small_or_large(store: ObjectStore, run: Run, size: int) -> None:
    body = os.urandom(size)
    stored = run(store.put("bkt", "a/b", body, {"x-amz-meta-m": "1"}))
    assert run(store.get("bkt", "a/b")) == body
    assert stored.etag == hashlib.md5(body).hexdigest()
    assert store.head("bkt", "a/b").headers == {"x-amz-meta-m": "1"}
    assert run(store.body(stored, 2, 3)) == body[2:5]


def test_everything_survives_a_reopening_and_leftovers_of_a_kill_go(tmp_path: Path, run: Run) -> None:
    first = ObjectStore(tmp_path, Clock())
    first.create_bucket("bkt", "eu-west-1")
    run(first.put("bkt", "small", b"s"))
    run(first.put("bkt", "large", b"l" * 200_000))
    (tmp_path / "bodies" / "leftover").write_bytes(b"never committed")
    first.close()
    second = ObjectStore(tmp_path, Clock())
    assert run(second.get("bkt", "small")) == b"s"
    assert run(second.get("bkt", "large")) == b"l" * 200_000
    assert second.region("bkt") == "eu-west-1"
    assert not (tmp_path / "bodies" / "leftover").exists()
    second.close()


def test_an_overwrite_and_a_delete_free_the_old_body(store: ObjectStore, run: Run, tmp_path: Path) -> None:
    bodies = tmp_path / "s3" / "bodies"
    for _ in range(3):
        run(store.put("bkt", "k", b"x" * 100_000))
    assert len(list(bodies.iterdir())) == 1
    store.delete("bkt", "k")
    assert list(bodies.iterdir()) == []


def test_a_reader_keeps_the_object_it_began_with(store: ObjectStore, run: Run) -> None:
    async def race() -> bytes:
        await store.put("bkt", "k", b"a" * 200_000)
        reading = store.body(store.head("bkt", "k"))
        task = asyncio.ensure_future(reading)
        await asyncio.sleep(0)
        await store.put("bkt", "k", b"b" * 200_000)
        return await task

    assert run(race()) == b"a" * 200_000


def test_if_none_match_lets_one_writer_win(store: ObjectStore, run: Run) -> None:
    async def race() -> list[Any]:
        bodies = [bytes([65 + number]) * (10 if number % 2 else 100_000) for number in range(20)]
        writes = [store.put("bkt", "k", body, condition=ABSENT) for body in bodies]
        return await asyncio.gather(*writes, return_exceptions=True)

    outcomes = run(race())
    won = [outcome for outcome in outcomes if not isinstance(outcome, Exception)]
    assert len(won) == 1
    assert {outcome.code for outcome in outcomes if isinstance(outcome, S3Error)} == {"PreconditionFailed"}
    assert hashlib.md5(run(store.get("bkt", "k"))).hexdigest() == won[0].etag


def test_if_match_lets_one_writer_win_each_round(store: ObjectStore, run: Run) -> None:
    async def races() -> int:
        etag = (await store.put("bkt", "k", b"0")).etag
        for round_ in range(5):
            condition = WriteCondition(if_match=f'"{etag}"')
            writes = [
                store.put("bkt", "k", f"{round_}/{number}".encode() * 20_000, condition=condition)
                for number in range(8)
            ]
            outcomes = await asyncio.gather(*writes, return_exceptions=True)
            (won,) = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
            etag = won.etag
        return len(outcomes)

    assert run(races()) == 8


def test_conditions_on_missing_keys(store: ObjectStore, run: Run) -> None:
    with pytest.raises(S3Error) as caught:
        run(store.put("bkt", "k", b"", condition=WriteCondition(if_match='"etag"')))
    assert code(caught) == "NoSuchKey"
    with pytest.raises(S3Error) as caught:
        run(store.put("bkt", "k", b"", condition=WriteCondition(if_none_match='"etag"')))
    assert code(caught) == "NotImplemented"
    store.delete("bkt", "k")


@pytest.mark.parametrize("name", ["ab", "Upper", "under_score", "192.168.1.1", "-dash", "a..b", "x" * 64])
def test_bucket_names_follow_the_rules(store: ObjectStore, name: str) -> None:
    with pytest.raises(S3Error) as caught:
        store.create_bucket(name, "us-east-1")
    assert code(caught) == "InvalidBucketName"


def test_a_bucket_is_made_once_and_deleted_when_empty(store: ObjectStore, run: Run) -> None:
    store.create_bucket("bkt", "us-east-1")  # us-east-1 answers 200 to its owner
    with pytest.raises(S3Error) as caught:
        store.create_bucket("bkt", "eu-west-1")
    assert code(caught) == "BucketAlreadyOwnedByYou"
    run(store.put("bkt", "k", b""))
    with pytest.raises(S3Error) as caught:
        store.delete_bucket("bkt")
    assert code(caught) == "BucketNotEmpty"
    store.delete("bkt", "k")
    store.delete_bucket("bkt")
    with pytest.raises(S3Error) as caught:
        store.head("bkt", "k")
    assert code(caught) == "NoSuchBucket"


def pages(store: ObjectStore, limit: int, **params: Any) -> tuple[list[str], list[str], int]:
    keys: list[str] = []
    prefixes: list[str] = []
    start, count = "", 0
    while True:
        page = store.listing("bkt", start=start, limit=limit, **params)
        assert len(page.objects) + len(page.prefixes) <= limit
        keys += [stored.key for stored in page.objects]
        prefixes += page.prefixes
        count += 1
        if page.next_start is None:
            return keys, prefixes, count
        start = page.next_start


KEYS = st.lists(st.text(alphabet="ab/é\U0001f600", min_size=1, max_size=6), unique=True, max_size=25)


@settings(max_examples=60, deadline=None)
@given(
    keys=KEYS,
    prefix=st.text(alphabet="ab/", max_size=2),
    delimiter=st.sampled_from(["", "/"]),
    limit=st.integers(1, 7),
)
def test_any_paging_lists_what_a_sorted_scan_lists(
    tmp_path_factory: pytest.TempPathFactory, keys: list[str], prefix: str, delimiter: str, limit: int
) -> None:
    store = ObjectStore(tmp_path_factory.mktemp("s3"), Clock())
    store.create_bucket("bkt", "us-east-1")
    for key in keys:
        asyncio.run(store.put("bkt", key, b""))
    expected_keys: list[str] = []
    expected_prefixes: list[str] = []
    for key in sorted(keys, key=str.encode):
        if not key.startswith(prefix):
            continue
        end = key.find(delimiter, len(prefix)) if delimiter else -1
        if end < 0:
            expected_keys.append(key)
        elif key[: end + 1] not in expected_prefixes:
            expected_prefixes.append(key[: end + 1])
    found = pages(store, limit, prefix=prefix, delimiter=delimiter)
    assert found[:2] == (expected_keys, expected_prefixes)
    store.close()


def test_a_listing_begins_beyond_start_after(store: ObjectStore, run: Run) -> None:
    for key in ("a", "b", "b/1", "c"):
        run(store.put("bkt", key, b""))
    assert [stored.key for stored in store.listing("bkt", after="b").objects] == ["b/1", "c"]


def test_parts_join_in_order_with_s3s_entity_tag(store: ObjectStore, run: Run) -> None:
    parts = [os.urandom(5 * 1024 * 1024), os.urandom(10)]
    upload = store.uploads.start("bkt", "k", {"content-type": "t"})
    chosen = [
        (number, run(store.uploads.put_part("bkt", "k", upload, number, part)).etag)
        for number, part in enumerate(parts, start=1)
    ]
    stored = run(store.uploads.complete("bkt", "k", upload, chosen))
    digest = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()
    assert stored.etag == f"{digest}-2"
    assert run(store.get("bkt", "k")) == b"".join(parts)
    assert store.head("bkt", "k").headers == {"content-type": "t"}
    assert store.uploads.all("bkt") == []


def test_parts_that_do_not_fit_are_refused(store: ObjectStore, run: Run) -> None:
    upload = store.uploads.start("bkt", "k", {})
    etags = [run(store.uploads.put_part("bkt", "k", upload, number, b"small")).etag for number in (1, 2)]
    for chosen, expected in (
        ([(2, etags[1]), (1, etags[0])], "InvalidPartOrder"),
        ([(1, "wrong")], "InvalidPart"),
        ([(3, etags[0])], "InvalidPart"),
        ([(1, etags[0]), (2, etags[1])], "EntityTooSmall"),
    ):
        with pytest.raises(S3Error) as caught:
            run(store.uploads.complete("bkt", "k", upload, chosen))
        assert code(caught) == expected


def test_an_aborted_upload_leaves_nothing(store: ObjectStore, run: Run, tmp_path: Path) -> None:
    upload = store.uploads.start("bkt", "k", {})
    run(store.uploads.put_part("bkt", "k", upload, 1, b"part"))
    store.uploads.abort("bkt", "k", upload)
    assert list((tmp_path / "s3" / "bodies").iterdir()) == []
    with pytest.raises(S3Error) as caught:
        run(store.uploads.put_part("bkt", "k", upload, 1, b"part"))
    assert code(caught) == "NoSuchUpload"


def test_a_completion_is_conditional_too(store: ObjectStore, run: Run) -> None:
    run(store.put("bkt", "k", b"first"))
    upload = store.uploads.start("bkt", "k", {})
    etag = run(store.uploads.put_part("bkt", "k", upload, 1, b"second")).etag
    with pytest.raises(S3Error) as caught:
        run(store.uploads.complete("bkt", "k", upload, [(1, etag)], ABSENT))
    assert code(caught) == "PreconditionFailed"
    assert run(store.get("bkt", "k")) == b"first"
