"""Points are found by namespace, name, dimensions, time and unit, and grow old as CloudWatch's do."""

from include.localcloud.cloudwatch import store as module
from include.localcloud.cloudwatch.store import Key


def _totals(board, key, *, period=60, since=1e9, until=60.0, unit=""):
    found = board.store.read(key, start=board.now - since, end=board.now + until, period=period, unit=unit)
    return {at - int(board.now): samples.total for at, samples in found.items()}


def test_namespace_name_and_dimensions_all_tell_metrics_apart(board):
    key = board.put([100.0], namespace="AWS/SageMaker", dimensions=[("B", "2"), ("A", "1")])
    board.put([1.0], namespace="Else", dimensions=[("A", "1"), ("B", "2")])
    board.put([2.0], namespace="AWS/SageMaker", dimensions=[("A", "1")])
    board.put([3.0], namespace="AWS/SageMaker", name="n", dimensions=[("A", "1"), ("B", "2")])
    assert _totals(board, key) == {0: 100.0}


def test_points_group_into_whole_periods_and_the_end_is_outside(board):
    for ago in (0, 60, 120, 180):
        key = board.put([1.0], ago=ago)
    assert _totals(board, key, period=60, since=120, until=0) == {-120: 1.0, -60: 1.0}
    assert _totals(board, key, period=120) == {-240: 1.0, -120: 2.0, 0: 1.0}
    assert _totals(board, key, period=1, since=60) == {-60: 1.0, 0: 1.0}


def test_units_are_kept_apart_when_one_is_asked_for(board):
    key = board.put([1.0], unit="Seconds")
    board.put([20.0], unit="Count")
    assert _totals(board, key, unit="Count") == {0: 20.0}
    assert _totals(board, key) == {0: 21.0}
    assert board.store.units(key) == {"Seconds", "Count"}


def test_old_points_merge_into_longer_periods_and_finally_go(board):
    for second in range(0, 120, 10):
        key = board.put([float(second)], ago=-second, resolution=1)
    assert len(_totals(board, key, period=1, until=999)) == 12
    board.clock.time += 4 * 3600
    found = board.store.read(key, start=0, end=board.now, period=1)
    assert [samples.values.tolist() for samples in found.values()] == [
        [0, 10, 20, 30, 40, 50],
        [60, 70, 80, 90, 100, 110],
    ]
    board.clock.time += 16 * 86400
    assert len(board.store.read(key, start=0, end=board.now, period=1)) == 1
    board.clock.time += 456 * 86400
    assert board.store.read(key, start=0, end=board.now, period=1) == {}
    assert board.store._values_held == 0
    assert list(board.store.keys()) == []


def test_when_memory_is_full_the_oldest_points_go_first(board, monkeypatch, caplog):
    monkeypatch.setattr(module, "_MOST_VALUES", 100)
    for ago in range(150, 0, -1):
        key = board.put([1.0], ago=ago * 60)
    totals = _totals(board, key)
    assert 90 <= len(totals) <= 100
    assert max(totals) == -60
    assert "oldest points are gone" in caplog.text


def test_an_unknown_metric_has_no_points(board):
    assert board.store.read(Key("No", "thing", ()), start=0, end=9e9, period=60) == {}
