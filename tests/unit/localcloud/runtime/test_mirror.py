"""How much of the traffic a shadow sees, and what happens to what it cannot take."""

import pytest

from include.localcloud.runtime import mirror


@pytest.mark.parametrize(
    ("production", "shadow", "share"), [(1.0, 0.3, 0.3), (2.0, 1.0, 0.5), (1.0, 5.0, 1.0), (1.0, 0.0, 0.0)]
)
def test_the_mirrored_share_is_the_shadows_weight_over_productions(play, production, shadow, share):
    async def scenario(world):
        await world.serve(world.light(weight=production), world.shadow(weight=shadow))
        world.gateway._chance.seed(11)
        for i in range(400):
            await world.invoke(str(i).encode())
        return world.counts("shadow")

    counts = play(scenario)
    assert counts["shed"] == 0
    assert abs(counts["mirrored"] / 400 - share) < 0.07
    assert share not in {0.0, 1.0} or counts["mirrored"] == 400 * share


def test_copies_beyond_a_slow_shadows_room_are_shed_and_counted(play, monkeypatch):
    monkeypatch.setattr(mirror, "CONCURRENCY", 4)
    monkeypatch.setattr(mirror, "QUEUE", 10)

    async def scenario(world):
        fleet = await world.serve(world.light(), world.shadow(LOCAL_SERVICE_TIME_MEDIAN_MS=30_000))
        statuses = [(await world.invoke(str(i).encode())).status for i in range(50)]
        counts = world.counts("shadow")
        await fleet.stop(1.0)
        return statuses, counts

    statuses, counts = play(scenario)
    assert statuses == [200] * 50
    assert (counts["mirrored"], counts["shed"]) == (14, 36)


def test_waiting_copies_go_out_as_room_appears(play, wait_until, monkeypatch):
    monkeypatch.setattr(mirror, "CONCURRENCY", 2)

    async def scenario(world):
        await world.serve(world.light(), world.shadow(LOCAL_SERVICE_TIME_MEDIAN_MS=2))
        for i in range(100):
            await world.invoke(str(i).encode())
        await wait_until(lambda: world.counts("shadow")["served"] == 100)
        return world.counts("shadow")

    counts = play(scenario)
    assert (counts["mirrored"], counts["shed"], counts["failed"]) == (100, 0, 0)
