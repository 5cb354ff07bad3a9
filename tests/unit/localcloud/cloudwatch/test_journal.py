"""Metrics are there again after a restart, whatever ended the program, and the folder does not grow for ever."""

import numpy as np

from include.localcloud.cloudwatch.journal import Entry, Journal
from include.localcloud.cloudwatch.metric import Key
from include.localcloud.cloudwatch.samples import Samples
from include.localcloud.cloudwatch.store import MetricStore

_KEY = Key("Own", "m", (("A", "1"), ("B", "2")))


def entry(start, samples=None):
    return Entry(keys=(_KEY,), start=start, unit="Seconds", samples=samples or Samples.of([float(start)]))


def test_entries_come_back_as_they_were(tmp_path):
    samples = [
        Samples.of([3.0, 1.0, 3.0], [2, 5, 1]),
        Samples.of(np.random.default_rng(1).normal(size=1000).tolist()),
        Samples.summary(count=3, total=9.0, low=1.0, high=5.0),
    ]
    journal = Journal(tmp_path)
    for at, each in enumerate(samples):
        journal.append(entry(at, each))
    back = list(Journal(tmp_path).entries())  # never closed: as after a SIGKILL
    assert [(each.keys, each.start, each.unit) for each in back] == [
        ((_KEY,), at, "Seconds") for at in range(3)
    ]
    for was, found in zip(samples, back, strict=True):
        assert found.samples.values.tolist() == was.values.tolist()
        assert found.samples.counts.tolist() == was.counts.tolist()
        assert found.samples.summaries == was.summaries


def test_what_was_half_written_ends_its_segment_and_nothing_else(tmp_path, caplog):
    first = Journal(tmp_path)
    for start in range(3):
        first.append(entry(start))
    first.close()
    (segment,) = tmp_path.iterdir()
    segment.write_bytes(segment.read_bytes()[:-5])
    second = Journal(tmp_path)
    second.append(entry(9))
    assert [each.start for each in Journal(tmp_path).entries()] == [0, 1, 9]
    assert "that are no entry" in caplog.text


def test_a_changed_byte_is_noticed(tmp_path):
    journal = Journal(tmp_path)
    journal.append(entry(1))
    journal.append(entry(2))
    (segment,) = tmp_path.iterdir()
    data = bytearray(segment.read_bytes())
    data[-3] ^= 1
    segment.write_bytes(data)
    assert [each.start for each in Journal(tmp_path).entries()] == [1]


def test_the_oldest_segments_go_when_there_are_too_many(tmp_path):
    for run in range(3):
        journal = Journal(tmp_path, largest_segment=500, most_segments=4)
        for start in range(100):
            journal.append(entry(run * 100 + start))
        journal.close()
    kept = [each.start for each in Journal(tmp_path).entries()]
    assert kept == list(range(kept[0], 300))
    assert 4 <= len(kept) < 50
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 4 * 520


def test_a_store_takes_up_what_an_earlier_one_kept(board, tmp_path):
    board.store.keep(tmp_path)
    key = board.put([1.0, 2.0], dimensions=[("A", "1")], unit="Seconds")
    recorder = board.store.recorder(endpoint="e", variant="v", config="c", frequency=60)
    recorder.record(status=200, latency=5.0, overhead=1.0, instances=1)
    board.store.close()  # keeps the period that is still open
    again = MetricStore(board.clock)
    again.keep(tmp_path)
    board.clock.time += 60
    (samples,) = again.read(key, start=0, end=9e9, period=60, unit="Seconds").values()
    assert samples.values.tolist() == [1.0, 2.0]
    for dimensions in (
        (("EndpointName", "e"), ("VariantName", "v")),
        (("EndpointConfigName", "c"), ("EndpointName", "e"), ("VariantName", "v")),
    ):
        found = again.read(Key("AWS/SageMaker", "ModelLatency", dimensions), start=0, end=9e9, period=60)
        assert [samples.total for samples in found.values()] == [5.0]


def test_a_kill_costs_only_the_last_seconds_of_a_period_and_shows_none_of_it_early(board, tmp_path):
    board.store.keep(tmp_path)
    recorder = board.store.recorder(endpoint="e", variant="v", config="c", frequency=60)
    for _ in range(12):  # one every 3 s
        recorder.record(status=500, latency=7.0, overhead=1.0, instances=2)
        board.clock.time += 3
    keys = [
        Key("AWS/SageMaker", name, (("EndpointName", "e"), ("VariantName", "v")))
        for name in ("Invocations", "InvocationsPerInstance", "Invocation5XXErrors", "ModelLatency")
    ]

    def totals(store):
        found = [store.read(key, start=0, end=9e9, period=60) for key in keys]
        return [sum(samples.total for samples in periods.values()) for periods in found]

    killed = MetricStore(board.clock)  # what a program would find that starts now
    killed.keep(tmp_path)
    assert totals(board.store) == totals(killed) == [0, 0, 0, 0]
    board.clock.time += 60
    assert totals(board.store) == [12, 6, 12, 84]
    assert totals(killed) == [10, 5, 10, 70]


def test_what_is_taken_up_grows_old_as_if_nothing_had_happened(board, tmp_path):
    board.store.keep(tmp_path)
    for second in range(0, 60, 10):
        key = board.put([1.0], ago=-second, resolution=1)
    board.clock.time += 4 * 3600
    again = MetricStore(board.clock)
    again.keep(tmp_path)
    (samples,) = again.read(key, start=0, end=9e9, period=1).values()
    assert samples.count == 6


def test_a_full_disk_costs_the_memory_of_it_and_nothing_else(board, tmp_path, caplog, monkeypatch):
    board.store.keep(tmp_path)

    def refuse(self, size):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Journal, "_room", refuse)
    key = board.put([1.0])
    assert len(board.store.read(key, start=0, end=9e9, period=60)) == 1
    assert "No space left on device" in caplog.text
