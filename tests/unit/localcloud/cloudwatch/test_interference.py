"""Metrics that a test keeps back, thins out or loses."""

import pytest

from include.localcloud.cloudwatch.metric import Key

_KEY = Key("AWS/SageMaker", "Invocations", (("EndpointName", "e"), ("VariantName", "v")))


def serve(board, minutes, endpoint="e"):
    recorder = board.store.recorder(endpoint=endpoint, variant="v", config="c", frequency=60)
    for _ in range(minutes):
        recorder.record(status=200, latency=1.0, overhead=1.0, instances=1)
        board.clock.time += 60
        board.store.settle()


def starts(board, key=_KEY):
    return list(board.store.read(key, start=0, end=9e9, period=60))


def test_what_is_delayed_appears_later_under_its_own_time(board):
    begin = int(board.now)
    board.store.set_fault("e", "delay", 90.0)
    serve(board, 1)
    assert starts(board) == []
    board.clock.time += 89
    assert starts(board) == []
    board.clock.time += 1
    assert starts(board) == [begin]


def test_a_delay_counts_from_the_end_of_the_period_however_early_a_piece_of_it_is_kept(board):
    board.store.set_fault("e", "delay", 30.0)
    recorder = board.store.recorder(endpoint="e", variant="v", config="c", frequency=60)
    for _ in range(6):
        recorder.record(status=200, latency=1.0, overhead=1.0, instances=1)
        board.clock.time += 10
    board.store.settle()
    board.clock.time += 29
    assert starts(board) == []
    board.clock.time += 1
    found = board.store.read(_KEY, start=0, end=9e9, period=60)
    assert [samples.total for samples in found.values()] == [6.0]


def test_a_gap_is_one_for_all_metrics_of_a_variant(board):
    board.store.set_fault(None, "gaps", 0.3)
    serve(board, 200)
    kept = starts(board)
    assert 110 < len(kept) < 170
    latency = Key("AWS/SageMaker", "ModelLatency", _KEY.dimensions)
    assert starts(board, latency) == kept


def test_an_endpoints_own_amount_counts_and_others_are_spared(board):
    board.store.set_fault(None, "gaps", 1.0)
    board.store.set_fault("e", "gaps", 0.0)
    serve(board, 3)
    serve(board, 3, endpoint="f")
    assert len(starts(board)) == 3
    other = Key("AWS/SageMaker", "Invocations", (("EndpointName", "f"), ("VariantName", "v")))
    assert starts(board, other) == []
    board.store.set_fault(None, None)
    serve(board, 2, endpoint="f")
    assert len(starts(board, other)) == 2


def test_an_unknown_fault_is_refused(board):
    with pytest.raises(ValueError, match="'lose'; allowed are drop, delay, gaps and None"):
        board.store.set_fault("e", "lose")
