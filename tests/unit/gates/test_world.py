"""Whole windows of a simulated endpoint, judged as a rollout judges them (the short form of tests/soak/world)."""

from dataclasses import replace

import pytest

from tests.soak.world.endpoint import World
from tests.soak.world.trial import peeked, share

HOUR = World()
WARM = replace(HOUR, cold=0.0)
HARSH = replace(HOUR, jitter_sd=0.10, jitter_memory=0.8)


@pytest.mark.parametrize(
    "change",
    [{}, {"rate": 5.0}, {"sampling": 0.5, "missing": 0.015}, {"instances": 2, "diurnal": 0.6}],
    ids=["busy", "quiet", "half sampled with gaps", "two instances, a steep day"],
)
def test_equal_variants_are_not_rolled_back_within_an_hour(change):
    found = share(replace(HOUR, **change), seed=72, runs=30)
    assert found.rolled_back == 0
    if not change:
        assert found.promoted >= 0.7


def test_a_quarter_more_latency_is_found_within_minutes():
    found = share(replace(WARM, ratio=1.25), seed=73, runs=30)
    assert found.promoted == 0
    assert found.rolled_back == 1
    assert found.median <= 3


def test_a_stretched_tail_is_found_and_never_promoted():
    found = share(replace(WARM, tail=1.5), seed=74, runs=20)
    assert found.promoted == 0
    assert found.rolled_back == 1
    assert found.median <= 6


def test_a_tail_that_is_stretched_less_is_found_sooner_where_containers_report_their_time():
    found = share(replace(WARM, tail=1.25, periods=20, timed=True), seed=78, runs=12)
    assert found.promoted == 0
    assert found.rolled_back == 1
    assert found.median <= 8


def test_equal_containers_that_report_their_time_are_not_rolled_back():
    found = share(replace(HOUR, timed=True), seed=79, runs=10)
    assert found.rolled_back == 0
    assert found.promoted >= 0.5


def test_fivefold_errors_are_found_and_never_promoted():
    found = share(replace(HOUR, shadow_error_rate=0.005), seed=75, runs=30)
    assert found.promoted == 0
    assert found.rolled_back == 1
    assert found.median <= 10


def test_harsh_jitter_rolls_equal_variants_back_until_it_was_measured():
    assume = share(HARSH, seed=76, runs=40)
    measured = share(HARSH, seed=76, runs=40, calibrations=2)
    assert assume.rolled_back >= 0.05
    assert measured.rolled_back == 0


def test_a_t_test_looked_at_every_minute_rolls_equal_variants_back():
    assert peeked(HOUR, seed=77, runs=40) >= 0.05
