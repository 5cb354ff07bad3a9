"""Scaled time never jumps."""

import asyncio
from pathlib import Path

import pytest

from include.localcloud.clock import Clock
from include.localcloud.faults import Faults
from include.localcloud.http import Request
from include.localcloud.local import LocalApi


def test_time_runs_as_fast_as_the_scale_and_does_not_jump_when_it_changes() -> None:
    clock = Clock(scale=1000.0)
    before = clock.now()
    asyncio.run(clock.sleep(5.0))  # five of the clock's seconds: five milliseconds here
    after = clock.now()
    assert after - before >= 5.0
    clock.scale = 1.0
    assert 0 <= clock.now() - after < 1000.0


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), 1e9])
def test_time_does_not_stand_still_or_run_backwards(scale: float) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        Clock(scale)


def test_a_sleeper_wakes_by_the_scale_that_is_set_while_it_sleeps() -> None:
    clock = Clock()

    async def sleep_a_week() -> float:
        sleeper = asyncio.ensure_future(clock.sleep(7 * 86400))
        await asyncio.sleep(0)
        before = clock.now()
        clock.scale = 1e6
        await sleeper
        return clock.now() - before

    assert asyncio.run(sleep_a_week()) >= 7 * 86400


def test_a_stored_clock_goes_on_at_its_scale_and_never_back(tmp_path: Path) -> None:
    file = tmp_path / "clock.json"
    clock = Clock(1e6, file)
    asyncio.run(clock.sleep(86400.0))
    before = clock.now()
    again = Clock(file=file)
    assert again.scale == 1e6
    assert again.now() >= before
    slowed = Clock(1.0, file)
    assert slowed.now() >= before
    assert Clock(file=file).scale == 1.0


@pytest.mark.parametrize("body", [b"5", b'{"scale": "fast"}', b'{"scale": 0}', b'{"scale": true}', b"no"])
def test_a_scale_that_is_none_is_refused_in_one_sentence(body: bytes) -> None:
    clock = Clock()
    api = LocalApi(Faults(), dict, clock)
    response = asyncio.run(api.handle(Request("POST", "/_local/clock", "", {}, body), ""))
    assert response.status == 400
    assert b"error" in response.body
    assert clock.scale == 1.0


def test_a_loop_of_short_sleeps_stays_light_at_any_scale() -> None:
    clock = Clock(1e6)
    before = clock.now()
    asyncio.run(clock.sleep(1.0))  # a microsecond here, were there no least sleep
    assert clock.now() - before >= 4000.0
