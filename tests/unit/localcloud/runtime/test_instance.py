"""Starting, restarting and ending one instance, whenever the end comes."""

import asyncio
import os
import signal

import pytest
import uvloop

from include.localcloud.runtime.images import resolve
from include.localcloud.runtime.instance import Instance
from include.localcloud.runtime.plan import StartupError
from include.localcloud.runtime.process import Workspace


def _instance(folder, timeout=30.0, **environment):
    return Instance(
        name="churn/live/1",
        image=resolve("penumbra/light:1"),
        workspace=Workspace(directory=folder / "i", socket=folder / "s", log=folder / "log"),
        model_data=None,
        environment=environment,
        startup_timeout=timeout,
    )


def _request(body=b"1"):
    return b"POST /invocations HTTP/1.1\r\nhost: i\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def test_a_burst_is_answered_over_as_many_connections_as_it_takes(tmp_path):
    async def scenario():
        instance = _instance(tmp_path, LOCAL_SERVICE_TIME_MEDIAN_MS="20")
        await instance.start()
        try:
            replies = await asyncio.gather(*(instance.ask(_request(b"%d" % i), 10.0) for i in range(400)))
            return [reply.status for reply in replies], instance.outstanding
        finally:
            await instance.stop()

    assert uvloop.run(scenario()) == ([200] * 400, 0)


def test_a_request_that_takes_too_long_fails_and_its_late_answer_reaches_nobody(tmp_path):
    async def scenario():
        instance = _instance(tmp_path, LOCAL_SERVICE_TIME_MEDIAN_MS="100", LOCAL_SERVICE_TIME_REQUEST_SD="0")
        await instance.start()
        try:
            (late,) = await asyncio.gather(instance.ask(_request(b"late"), 0.02), return_exceptions=True)
            reply = await instance.ask(_request(b"next"), 10.0)
            alone = await instance.ask(_request(b"next"), 10.0)
            return str(late), reply.body == alone.body
        finally:
            await instance.stop()

    message, own_answer = uvloop.run(scenario())
    assert message.startswith("Your invocation timed out")
    assert own_answer


def test_an_instance_that_does_not_answer_ping_in_time_is_a_startup_error(tmp_path, is_alive):
    async def scenario():
        instance = _instance(tmp_path, timeout=0.0)
        with pytest.raises(StartupError, match="did not answer /ping with 200 within 0 s"):
            await instance.start()
        return instance.pid

    assert uvloop.run(scenario()) is None
    assert not (tmp_path / "i").exists()


def test_a_wrong_variable_is_in_the_startup_error(tmp_path):
    with pytest.raises(StartupError, match="LOCAL_ERROR_SHARE is '7'"):
        uvloop.run(_instance(tmp_path, LOCAL_ERROR_SHARE="7").start())


@pytest.mark.parametrize("delay", [0.0, 0.005, 0.02, 0.05, 0.1, 0.2])
def test_cancelling_a_start_at_any_moment_leaves_no_process(tmp_path, is_alive, delay):
    async def scenario():
        instance = _instance(tmp_path)
        starting = asyncio.create_task(instance.start())
        await asyncio.sleep(delay)
        seen = instance.pid
        starting.cancel()
        (outcome,) = await asyncio.gather(starting, return_exceptions=True)
        if outcome is None:  # it was ready before
            seen = instance.pid
            await instance.stop()
        return seen, instance.pid

    seen, left = uvloop.run(scenario())
    assert left is None
    assert seen is None or not is_alive(seen)


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.11, 0.15, 0.25])
def test_stopping_while_it_comes_back_leaves_no_process(tmp_path, is_alive, wait_until, delay):
    async def scenario():
        instance = _instance(tmp_path)
        await instance.start()
        os.kill(instance.pid, signal.SIGKILL)
        await wait_until(lambda: not instance.ready)
        await asyncio.sleep(delay)
        seen = instance.pid
        await instance.stop()
        return seen, instance.pid

    seen, left = uvloop.run(scenario())
    assert left is None
    assert seen is None or not is_alive(seen)
    assert not (tmp_path / "i").exists()
