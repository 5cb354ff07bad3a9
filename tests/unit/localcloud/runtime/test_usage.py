"""Utilisation metrics are those of the real processes."""

import asyncio
import os
import time
from dataclasses import replace

import pytest

from include.localcloud.cloudwatch.store import Key
from include.localcloud.runtime.usage import Capacity, Usage, UsageMeter, directory_bytes

_GIB = 2**30


@pytest.mark.parametrize(
    ("instance_type", "vcpus", "gib"),
    [
        ("ml.t2.medium", 1, 4),
        ("ml.m5.large", 2, 8),
        ("ml.c5.xlarge", 4, 8),
        ("ml.r5.2xlarge", 8, 64),
        ("ml.m7i.48xlarge", 192, 768),
        ("unheard of", 2, 8),
    ],
)
def test_capacity_follows_the_pattern_of_the_instance_type(instance_type, vcpus, gib):
    assert Capacity.of(instance_type) == Capacity(vcpus=vcpus, memory=gib * _GIB)


def test_usage_counts_the_cpu_that_was_burnt():
    before = Usage.of(os.getpid())
    burnt = time.process_time() + 0.05
    while time.process_time() < burnt:
        pass
    after = Usage.of(os.getpid())
    assert after.cpu_seconds - before.cpu_seconds >= 0.03
    assert after.memory > 1 << 20
    assert Usage.of(2**22 + 1) is None


def test_a_directorys_bytes_are_those_of_its_files(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_bytes(b"1" * 1000)
    (tmp_path / "y").write_bytes(b"1" * 24)
    assert directory_bytes(tmp_path) == 1024
    assert directory_bytes(tmp_path / "missing") == 0


def test_each_variants_utilisation_is_published_in_percent_of_its_capacity(play):
    async def scenario(world):
        fleet = await world.serve(world.light(count=2), world.shadow())
        meter = UsageMeter(fleet, world.metrics, world.clock)
        meter.look()
        await asyncio.gather(*(world.invoke(b"%d" % i) for i in range(300)))
        meter.look()
        await meter.publish(int(world.clock.time))
        read = {}
        for variant in ("live", "shadow"):
            for metric in ("CPUUtilization", "MemoryUtilization", "DiskUtilization"):
                key = Key(
                    "/aws/sagemaker/Endpoints", metric, (("EndpointName", "churn"), ("VariantName", variant))
                )
                (read[variant, metric],) = world.metrics.read(key, start=0, end=4e9, period=60).values()
                assert world.metrics.units(key) == {"Percent"}
        return read

    read = play(scenario)
    assert read["live", "MemoryUtilization"].count == 4
    assert read["shadow", "MemoryUtilization"].count == 2
    assert 0.01 < read["live", "MemoryUtilization"].low < 5
    assert 0 <= read["live", "CPUUtilization"].low <= read["live", "CPUUtilization"].high < 1000
    assert read["live", "DiskUtilization"].count == 2


def test_utilisation_has_a_frequency_of_its_own(play):
    """As AWS: without enhanced metrics the config's frequency is for utilisation only."""

    async def scenario(world):
        fleet = await world.serve(world.light(), frequency=60)
        fleet.plan = replace(fleet.plan, utilisation_frequency=10)
        meter = UsageMeter(fleet, world.metrics, world.clock)
        meter.look()
        await meter.publish(int(world.clock.time) + 10)
        key = Key(
            "/aws/sagemaker/Endpoints",
            "MemoryUtilization",
            (("EndpointName", "churn"), ("VariantName", "live")),
        )
        return [at - int(world.clock.time) for at in world.metrics.read(key, start=0, end=4e9, period=10)]

    assert play(scenario) == [10]
