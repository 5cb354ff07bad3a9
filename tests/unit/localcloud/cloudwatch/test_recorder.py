"""When invocation metrics become visible, and as what."""

import numpy as np
import pytest

from include.localcloud.cloudwatch.store import Key


@pytest.fixture
def recorder(board):
    return board.store.recorder(endpoint="churn", variant="live", config="c1", frequency=10)


def _read(board, name, **extra):
    dimensions = tuple(sorted({"EndpointName": "churn", "VariantName": "live", **extra}.items()))
    return board.store.read(Key("AWS/SageMaker", name, dimensions), start=0.0, end=4e9, period=10)


def test_a_period_is_not_visible_before_its_end(board, recorder):
    start = board.clock.time
    recorder.record(status=200, latency=1000.0, overhead=10.0, instances=1)
    board.clock.time = start + 9.999
    recorder.record(status=200, latency=2000.0, overhead=10.0, instances=1)
    assert _read(board, "Invocations") == {}
    board.clock.time = start + 10
    assert {at: samples.total for at, samples in _read(board, "Invocations").items()} == {int(start): 2.0}
    recorder.record(status=200, latency=3000.0, overhead=10.0, instances=1)
    assert len(_read(board, "Invocations")) == 1


def test_samples_are_stamped_with_the_start_of_their_period(board, recorder):
    start = board.clock.time
    for offset in (3.0, 9.0, 10.0, 34.0):
        board.clock.time = start + offset
        recorder.record(status=200, latency=offset, overhead=0.0, instances=1)
    board.clock.time = start + 60
    periods = {
        at - int(start): samples.values.tolist() for at, samples in _read(board, "ModelLatency").items()
    }
    assert periods == {0: [3.0, 9.0], 10: [10.0], 30: [34.0]}


def test_an_idle_period_has_no_point_and_a_busy_one_has_zeros(board, recorder):
    recorder.record(status=200, latency=1.0, overhead=0.0, instances=1)
    board.clock.time += 30
    for name in ("Invocation4XXErrors", "Invocation5XXErrors", "InvocationModelErrors"):
        (samples,) = _read(board, name).values()
        assert (samples.count, samples.total) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("status", "errors"),
    [
        (200, (0, 0, 0)),
        (204, (0, 0, 0)),
        (404, (1, 0, 1)),
        (500, (0, 1, 1)),
        (0, (0, 0, 1)),
        (302, (0, 0, 1)),
    ],
)
def test_errors_are_counted_by_what_the_model_answered(board, recorder, status, errors):
    recorder.record(status=status, latency=1.0, overhead=0.0, instances=1)
    board.clock.time += 10
    names = ("Invocation4XXErrors", "Invocation5XXErrors", "InvocationModelErrors")
    assert tuple(next(iter(_read(board, name).values())).total for name in names) == errors


def test_percentiles_of_what_was_recorded_are_exact(board, recorder):
    latencies = np.random.default_rng(5).lognormal(9.4, 0.3, 5000)
    for latency in latencies:
        recorder.record(status=200, latency=float(latency), overhead=0.0, instances=2)
    board.clock.time += 10
    for dimensions in ({}, {"EndpointConfigName": "c1"}):
        (samples,) = _read(board, "ModelLatency", **dimensions).values()
        for percent in (50, 90, 99, 99.9):
            assert samples.percentile(percent) == pytest.approx(np.percentile(latencies, percent), rel=1e-12)
        (per_instance,) = _read(board, "InvocationsPerInstance", **dimensions).values()
        assert per_instance.total == 2500.0


def test_dropped_metrics_stay_away_and_come_back(board, recorder):
    def one_period() -> None:
        recorder.record(status=200, latency=1.0, overhead=0.0, instances=1)
        board.clock.time += 10

    one_period()
    board.store.set_fault("churn", "drop")
    one_period()
    assert len(_read(board, "Invocations")) == 1
    board.store.set_fault("churn", None)
    one_period()
    board.store.set_fault(None, "drop")
    one_period()
    assert len(_read(board, "Invocations")) == 2
    with pytest.raises(ValueError, match="allowed are drop, delay, gaps and None"):
        board.store.set_fault("churn", "lose")


def test_a_closed_recorders_last_period_is_published_when_it_is_over(board, recorder):
    recorder.record(status=200, latency=1.0, overhead=0.0, instances=1)
    recorder.closed = True
    assert _read(board, "Invocations") == {}
    board.clock.time += 10
    assert len(_read(board, "Invocations")) == 1
    assert board.store._recorders == []
