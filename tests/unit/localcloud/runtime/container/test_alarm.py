"""Calling back in time and in order."""

import asyncio
import time

import uvloop

from include.localcloud.runtime.container.alarm import Alarm


def test_callbacks_come_in_order_and_never_early():
    async def scenario():
        loop = asyncio.get_running_loop()
        alarm, fired, done = Alarm(loop), [], loop.create_future()
        start = time.monotonic()
        for delay in (0.03, 0.01, 0.0, 0.02, -1.0):
            when = start + delay
            alarm.call_at(when, lambda when=when: fired.append((when, time.monotonic())))
        alarm.call_at(start + 0.04, lambda: done.set_result(None))
        await done
        return fired

    fired = uvloop.run(scenario())
    assert len(fired) == 5
    assert all(at >= when for when, at in fired)
    assert [when for when, _ in fired] == sorted(when for when, _ in fired)


def test_a_callback_may_set_the_next():
    async def scenario():
        loop = asyncio.get_running_loop()
        alarm, done, count = Alarm(loop), loop.create_future(), 0

        def again() -> None:
            nonlocal count
            count += 1
            if count == 50:
                done.set_result(count)
            else:
                alarm.call_at(time.monotonic() + 0.0001, again)

        again()
        return await done

    assert uvloop.run(scenario()) == 50
