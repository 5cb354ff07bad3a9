import itertools

from quickstart.traffic import Callers


def test_every_request_is_counted_as_answered_or_by_its_error():
    sent = []
    turn = itertools.count()

    def invoke(body):
        sent.append(body)
        if next(turn) % 4 == 3:
            raise TimeoutError

    stop = (len(sent) >= 40 for _ in itertools.count())
    callers = Callers(invoke, ["a", "b", "c"], rate=20_000)
    callers.run(lambda: next(stop))
    counted = callers.answers()
    assert sum(counted.values()) == len(sent) >= 40
    assert counted["TimeoutError"] == len(sent) // 4
    assert set(sent) == {"a", "b", "c"}
