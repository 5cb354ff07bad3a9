"""Scaled time never jumps."""

import asyncio

import pytest

from include.localcloud.clock import Clock


def test_time_runs_as_fast_as_the_scale_and_does_not_jump_when_it_changes() -> None:
    clock = Clock(scale=1000.0)
    before = clock.now()
    asyncio.run(clock.sleep(5.0))  # five of the clock's seconds: five milliseconds here
    after = clock.now()
    assert after - before >= 5.0
    clock.scale = 1.0
    assert 0 <= clock.now() - after < 1000.0


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan")])
def test_time_does_not_stand_still_or_run_backwards(scale: float) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        Clock(scale)
