"""Fleets know their cores by the names of EC2's types, and say so when they do not."""

import pytest

from include.rollout.fleet import Fleet


@pytest.mark.parametrize(
    ("kind", "vcpus", "gpus"),
    [
        ("ml.t2.medium", 2, None),
        ("ml.c7g.medium", 1, None),
        ("ml.m5.large", 2, None),
        ("ml.m5.xlarge", 4, None),
        ("ml.c5.18xlarge", 72, None),
        ("ml.c4.8xlarge", 36, None),
        ("ml.m7i.48xlarge", 192, None),
        ("ml.g4dn.xlarge", 4, 1),
        ("ml.g5.12xlarge", 48, 4),
        ("ml.g5.16xlarge", 64, 1),
        ("ml.g5.48xlarge", 192, 8),
        ("ml.p3.8xlarge", 32, 4),
        ("ml.p4d.24xlarge", 96, 8),
        ("ml.p9.24xlarge", 96, None),
        ("ml.g4dn.metal", None, None),
        ("", None, None),
    ],
)
def test_what_an_instance_has(kind, vcpus, gpus):
    fleet = Fleet(instance_type=kind, count=1)
    assert (fleet.vcpus, fleet.gpus) == (vcpus, gpus)


def test_all_instances_are_paid_for():
    assert Fleet(instance_type="ml.m5.large", count=3, usd_per_hour=0.5).price == 1.5
    assert Fleet(instance_type="ml.m5.large", count=3).price is None


@pytest.mark.parametrize("wrong", [{"count": 0}, {"usd_per_hour": -1.0}, {"usd_per_hour": float("nan")}])
def test_a_fleet_is_born_valid(wrong):
    with pytest.raises(ValueError, match="must be"):
        Fleet(**{"instance_type": "ml.m5.large", "count": 1, **wrong})
