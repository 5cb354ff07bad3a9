"""Injected faults of instances: what the gateway orders and what the instance then does."""

import asyncio
import json
import random
import statistics

import pytest

from include.localcloud.faults import Faults
from include.localcloud.runtime.container.answer import Answer
from include.localcloud.runtime.container.orders import HEADER, Orders, wronged
from include.localcloud.runtime.disturbance import (
    Disturbances,
    Moment,
    cold_start,
    constant,
    heavy_tail,
    ramp,
)


@pytest.mark.parametrize(
    ("delay", "fault_age", "instance_age", "seconds"),
    [
        (constant(20), 0, 0, 0.02),
        (ramp(100, 10), 0, 99, 0.0),
        (ramp(100, 10), 5, 99, 0.05),
        (ramp(100, 10), 50, 99, 0.1),
        (cold_start(100, 10), 99, 0, 0.1),
        (cold_start(100, 10), 99, 5, 0.05),
        (cold_start(100, 10), 99, 50, 0.0),
    ],
)
def test_a_delay_follows_its_shape(delay, fault_age, instance_age, seconds):
    moment = Moment(fault_age=fault_age, instance_age=instance_age)
    assert delay(moment, random.Random(1)) == pytest.approx(seconds)


def test_a_heavy_tail_is_paretos():
    delay, chance = heavy_tail(10, 2.0), random.Random(1)
    drawn = [delay(Moment(fault_age=0, instance_age=0), chance) for _ in range(20_000)]
    assert min(drawn) >= 0.01
    assert statistics.median(drawn) == pytest.approx(0.01 * 2**0.5, rel=0.02)
    assert sum(each > 0.1 for each in drawn) / len(drawn) == pytest.approx(0.01, rel=0.2)  # (10/100)²


def test_orders_survive_the_wire():
    orders = Orders(wait=0.0123456789, status=503, wrong=True)
    assert Orders.read(orders.text()) == orders
    assert Orders.read(Orders().text()) == Orders()


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (Answer(200, b"0.25,1", "text/csv; charset=utf-8"), b"0.75,0"),
        (Answer(200, b'{"v1": [{"score": 1e-1}]}', "application/json"), b'{"v1": [{"score": 0.9}]}'),
        (Answer(200, b"no", "text/csv"), b"no"),
        (Answer(200, b"\x00 1", "application/x-recordio-protobuf"), b"\x00 1"),
        (Answer(400, b"column 5", "text/plain"), b"column 5"),
    ],
)
def test_a_wrong_answer_has_every_number_turned_round(answer, body):
    assert wronged(answer).body == body


def ordered(fault, payload, *, endpoint="e", variant="v"):
    disturbances = Disturbances(chance=random.Random(1))

    class Plane:
        def crash(self, *_):
            raise AssertionError

    plane = Plane()
    plane.disturbances = disturbances
    Faults(data_plane=plane).add(fault)
    return disturbances.ordered(endpoint, variant, payload, instance_age=1.0, now=0.0)


def request(body):
    return b"POST /invocations HTTP/1.1\r\nhost: i\r\n\r\n" + body


def test_orders_are_written_into_the_requests_that_a_fault_concerns_and_into_no_other():
    fault = {"latency": "constant", "ms": 5, "endpoint": "e", "variant": "v"}
    assert ordered(fault, request(b"1")) == (
        b"POST /invocations HTTP/1.1\r\n" + HEADER + b": 0.005 0 0\r\nhost: i\r\n\r\n1"
    )
    assert ordered(fault, request(b"1"), variant="w") == request(b"1")
    assert ordered(fault, request(b"1"), endpoint="f") == request(b"1")


def test_the_same_inputs_are_always_the_wrong_ones():
    bodies = [b"%d" % number for number in range(2000)]
    wrong = [HEADER in ordered({"wrong": 0.1}, request(body)) for body in bodies]
    assert wrong == [HEADER in ordered({"wrong": 0.1}, request(body)) for body in bodies]
    assert sum(wrong) == pytest.approx(200, abs=50)


def put(world, **fault):
    Faults(data_plane=world.gateway).add(fault)


def test_an_injected_delay_is_part_of_the_shadows_model_latency_alone(play, wait_until):
    async def scenario(world):
        await world.serve(world.light(), world.shadow())
        put(world, latency="constant", ms=30, endpoint="churn", variant="shadow")
        await asyncio.gather(*(world.invoke() for _ in range(10)))
        await wait_until(lambda: world.counts("shadow")["served"] == 10)
        world.clock.time += 60
        (own,) = world.metric("ModelLatency", "live").values()
        (copied,) = world.metric("ModelLatency", "shadow").values()
        return own, copied

    own, copied = play(scenario)
    assert copied.low >= 30_000  # microseconds
    assert own.low < 30_000


def test_errors_and_wrong_answers_come_from_the_instance(play):
    async def scenario(world):
        await world.serve(world.light(LOCAL_ANSWER="0.25"))
        put(world, wrong=1.0)
        wrong = await world.invoke()
        put(world, errors=1.0, status=503)
        failed = await world.invoke()
        world.gateway.disturbances.in_force.clear()
        return wrong, failed, await world.invoke()

    wrong, failed, healthy = play(scenario)
    assert (wrong.body, healthy.body) == (b"0.75", b"0.25")
    assert json.loads(failed.body)["OriginalStatusCode"] == 503


def test_a_callers_own_header_orders_nothing(play):
    async def scenario(world):
        await world.serve(world.light(LOCAL_ANSWER="0.25"))
        return await world.invoke(**{HEADER.decode(): "0.0 503 1"})

    assert play(scenario).body == b"0.25"


def test_a_crashed_instance_comes_back(play, wait_until):
    async def scenario(world):
        await world.serve(world.light(count=2))
        before = world.pids()
        with pytest.raises(ValueError, match="has 2 ready instances"):
            put(world, crash=3, endpoint="churn", variant="live")
        put(world, crash=1, endpoint="churn", variant="live")
        meanwhile = await world.invoke()
        await wait_until(lambda: all(each["ready"] for each in world.counts("live")["instances"]))
        restarts = sorted(each["restarts"] for each in world.counts("live")["instances"])
        return meanwhile.status, restarts, len(set(before) & set(world.pids()))

    assert play(scenario) == (200, [0, 1], 1)
