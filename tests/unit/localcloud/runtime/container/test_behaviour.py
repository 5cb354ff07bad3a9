"""How instances pretend to take time and to fail."""

import math
import random

import numpy as np
import pytest

from include.localcloud.runtime.container.behaviour import Behaviour


def test_without_variables_an_instance_waits_and_fails_never():
    behaviour = Behaviour.from_environment({})
    assert behaviour.service_time("", b"x") == 0.0
    assert not any(behaviour.fails() for _ in range(1000))


def test_the_service_time_is_lognormal_with_the_stated_median_and_spread():
    behaviour = Behaviour.from_environment(
        {"LOCAL_SERVICE_TIME_MEDIAN_MS": "12", "LOCAL_SERVICE_TIME_FACTOR": "1.5"}
    )
    logs = np.log([behaviour.service_time(f"id-{i}", b"") for i in range(20_000)])
    assert np.mean(logs) == pytest.approx(math.log(0.018), abs=0.01)
    assert np.std(logs) == pytest.approx(math.hypot(0.20, 0.10), rel=0.03)


def test_two_variants_share_the_requests_part_and_have_an_own_one():
    production, shadow = (Behaviour(median=0.012, chance=random.Random(seed)) for seed in (1, 2))
    pairs = np.log(
        [
            (production.service_time(f"id-{i}", b""), shadow.service_time(f"id-{i}", b""))
            for i in range(20_000)
        ]
    )
    assert np.corrcoef(pairs.T)[0, 1] == pytest.approx(0.04 / 0.05, abs=0.02)
    assert np.std(pairs[:, 0] - pairs[:, 1]) == pytest.approx(0.10 * math.sqrt(2), rel=0.03)


def test_the_inference_id_decides_and_without_one_the_body():
    behaviour = Behaviour(median=0.01, own_sd=0.0)
    assert behaviour.service_time("a", b"1") == behaviour.service_time("a", b"2")
    assert behaviour.service_time("", b"1") == behaviour.service_time("", b"1")
    assert behaviour.service_time("", b"1") != behaviour.service_time("", b"2")


def test_the_error_share_is_a_share():
    behaviour = Behaviour(error_share=0.02, chance=random.Random(3))
    assert sum(behaviour.fails() for _ in range(50_000)) == pytest.approx(1000, abs=150)


@pytest.mark.parametrize(
    ("name", "value"),
    [("LOCAL_ERROR_SHARE", "2"), ("LOCAL_ERROR_STATUS", "200"), ("LOCAL_SERVICE_TIME_MEDIAN_MS", "fast")],
)
def test_a_variable_out_of_range_is_named(name, value):
    with pytest.raises(ValueError, match=f"{name} is '{value}'; it must be a number between"):
        Behaviour.from_environment({name: value})
