"""What a window can decide before it is opened."""

from dataclasses import replace

import numpy as np
import pytest

from include.stats.noninferiority import log_ratio_limits
from include.stats.planning import (
    ErrorDesign,
    abort_chance,
    detectable_rate,
    largest_passing_ratio,
    latency_periods,
    pass_chance,
    periods_to_pass,
)

DESIGN = ErrorDesign(
    requests=600,
    sampling=0.5,
    periods=8,
    production_rate=0.0,
    relative=0.5,
    absolute=0.005,
    alpha=0.025,
    abort_alpha=0.01,
)


def test_a_window_that_can_decide_passes_the_good_and_aborts_the_bad():
    assert pass_chance(DESIGN, shadow_rate=0.0) >= 0.998
    assert abort_chance(DESIGN, shadow_rate=0.02) >= 0.998
    assert pass_chance(DESIGN, shadow_rate=DESIGN.limit) <= 0.03
    assert abort_chance(DESIGN, shadow_rate=DESIGN.limit) <= 0.01


def test_a_hopeless_window_is_told_which_window_would_do():
    hopeless = replace(DESIGN, absolute=0.0002)
    assert pass_chance(hopeless, shadow_rate=0.0) == 0
    enough = periods_to_pass(hopeless)
    assert enough is not None
    assert enough > hopeless.periods
    assert pass_chance(replace(hopeless, periods=enough), shadow_rate=0.0) >= 0.8


def test_a_rate_at_which_nothing_can_pass_is_never_enough():
    assert periods_to_pass(replace(DESIGN, requests=0.001, absolute=1e-6)) is None


def test_the_detectable_rate_falls_with_the_window():
    rates = [detectable_rate(replace(DESIGN, periods=n)) for n in (2, 8, 32)]
    assert all(rate is not None and rate > DESIGN.limit for rate in rates)
    assert rates == sorted(rates, reverse=True)


def test_a_window_too_thin_for_any_abort_detects_nothing():
    assert detectable_rate(replace(DESIGN, requests=1, periods=2)) is None


def test_the_same_question_has_the_same_answer():
    assert abort_chance(DESIGN, shadow_rate=0.01) == abort_chance(DESIGN, shadow_rate=0.01)


def test_latency_periods_are_enough_when_simulated():
    sd, margin = 0.08, 0.10
    periods = latency_periods(sd=sd, margin=margin, alpha=0.05, power=0.8)
    assert periods is not None
    rng = np.random.default_rng(40)
    passed = [
        log_ratio_limits(np.exp(rng.normal(0, sd, periods)), np.ones(periods), alpha=0.05).upper
        < np.log(1 + margin)
        for _ in range(1000)
    ]
    assert 0.72 <= np.mean(passed) <= 0.92


def test_an_offset_above_the_margin_can_never_pass():
    assert latency_periods(sd=0.01, margin=0.05, alpha=0.05, offset_sd=0.05) is None


def test_the_largest_passing_ratio_grows_towards_the_margin():
    ratios = [largest_passing_ratio(sd=0.05, margin=0.1, alpha=0.05, periods=n) for n in (10, 100, 1000)]
    assert all(ratio is not None and ratio < 1.1 for ratio in ratios)
    assert ratios == sorted(ratios)
    assert largest_passing_ratio(sd=0.05, margin=0.1, alpha=0.05, periods=1) is None


@pytest.mark.parametrize("change", [{"requests": 0}, {"sampling": 0}, {"periods": 0}, {"absolute": 0}])
def test_a_design_that_cannot_be_is_refused(change):
    with pytest.raises(ValueError, match=r"above 0|limit"):
        replace(DESIGN, **change)
