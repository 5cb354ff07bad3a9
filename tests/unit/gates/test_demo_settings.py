"""The demonstration's specs keep their promises: a healthy candidate is never rolled back, a slower one always."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from include.rollout.spec import parse
from include.rollout.verdict import Verdict
from tests.soak.world.endpoint import World, windows
from tests.soak.world.trial import decide

SPECS = Path(__file__).parents[3] / "include" / "specs"
RUNS = 100
# One small machine for both variants: no bursts and no slow calls, but an offset of up to 5 % either way and
# jitter that lasts. Requests and calls vary as the local containers' service times do.
MACHINE = World(
    median_us=12_000, request_sd=0.2, call_sd=0.1, slow_share=0, shared_sd=0.05, diurnal=0, burst_share=0,
    jitter_sd=0.03, jitter_memory=0.5, ratio_offset=0.05, cold=0, load_swing=0, error_rate=0, margin=0.2,
)  # fmt: skip


def trials(name, *, seed, **change):
    """Return how rollouts of the spec end on that machine, with the window's length and its extension."""
    spec = parse(yaml.safe_load((SPECS / f"{name}.yaml").read_text()), name)
    window = spec.window
    world = replace(
        MACHINE,
        period=window.period,
        warm_up=max(1, window.warm_up // window.period),
        periods=window.maximum // window.period,
        rate=spec.replay.rate,
        sampling=spec.sampling,
        **change,
    )
    length = window.length // window.period
    return [decide(evidence, spec.gates, length=length) for evidence in windows(world, seed=seed, runs=RUNS)]


def test_a_healthy_candidate_is_never_rolled_back_and_nearly_always_promoted():
    found = [trial.final for trial in trials("churn_healthy", seed=90)]
    assert found.count(Verdict.ROLL_BACK) <= RUNS // 100
    assert found.count(Verdict.PROMOTE) >= 0.9 * RUNS


def test_a_candidate_two_fifths_slower_is_rolled_back_within_the_window():
    found = trials("churn_slower", seed=91, ratio=1.4)
    assert sum(trial.first is Verdict.ROLL_BACK for trial in found) >= 0.99 * RUNS


def test_a_candidate_that_fails_two_requests_in_a_hundred_is_rolled_back_within_the_window():
    found = trials("churn_failing", seed=95, shadow_error_rate=0.02)
    assert sum(trial.first is Verdict.ROLL_BACK for trial in found) >= 0.99 * RUNS


@pytest.mark.parametrize("change", [{"ratio": 1.3}, {"shadow_error_rate": 0.03}], ids=["slower", "failing"])
def test_no_bad_candidate_is_promoted(change):
    assert all(trial.final is not Verdict.PROMOTE for trial in trials("churn_healthy", seed=92, **change))
