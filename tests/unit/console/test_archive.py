"""The ledger as the console reads it: nothing twice, and nothing stale for longer than a second."""

import threading

from include.ledger.objects import Kind
from tests.unit.report import ledgers


def test_an_object_that_was_read_once_is_not_read_again(store, archive, clock):
    story = ledgers.running(store, periods=3)
    store.reads.clear()
    first = archive.rollout(story.id)
    read = len(store.reads)
    assert read == len(first.objects)
    story.look(4, lambda n: -0.2 * n)
    clock.seconds += 1
    store.reads.clear()
    assert len(archive.rollout(story.id).ticks) == 4
    assert [key.rpartition("/")[2] for key in store.reads] == [
        list(archive.rollout(story.id).all(Kind.TICK))[-1]
    ]


def test_many_viewers_within_a_second_cost_one_look(store, archive, clock):
    story = ledgers.running(store, periods=1)
    archive.rollout(story.id)
    story.look(2, lambda n: -0.2 * n)
    clock.seconds += 0.9
    assert len(archive.rollout(story.id).ticks) == 1
    clock.seconds += 0.2
    assert len(archive.rollout(story.id).ticks) == 2


def test_a_rollout_with_its_report_kept_is_never_listed_again(store, archive, clock, monkeypatch):
    story = ledgers.promoted(store)
    story.ledger.write_page("report.html", b"page")
    archive.rollout(story.id)
    clock.seconds += 1000
    monkeypatch.setattr(store, "keys", None)
    assert archive.rollout(story.id).is_over


def test_the_large_objects_that_no_page_shows_are_left_out(store, archive):
    story = ledgers.promoted(store)
    story.write(Kind.REPORT, {"rollout": story.id})
    objects = archive.rollout(story.id).objects
    assert not [key for key in objects if key.startswith(("validation", "report"))]


def test_the_list_reads_of_a_finished_rollout_only_what_a_line_needs(store, archive):
    story = ledgers.promoted(store)
    store.reads.clear()
    [(entry, outline)] = archive.newest(10)
    assert outline.get(Kind.SPEC)["spec"]["endpoint"]["name"] == "churn"
    assert len(store.reads) == 3  # its line of the index, its outcome, its spec
    assert entry.rollout_id == story.id
    assert archive.rollout(story.id).get(Kind.VERDICT) is not None


def test_a_rollout_that_was_never_written_is_none(archive):
    assert archive.rollout("a" * 12) is None


def test_threads_that_read_together_see_the_same(store, archive):
    story = ledgers.promoted(store)
    found = []
    threads = [threading.Thread(target=lambda: found.append(archive.rollout(story.id))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({len(record.objects) for record in found}) == 1
    assert len(found) == 8


def test_records_are_in_the_order_of_their_keys(store, archive, clock):
    story = ledgers.running(store, periods=12)
    ends = list(archive.rollout(story.id).all(Kind.TICK))
    assert ends == sorted(ends)
