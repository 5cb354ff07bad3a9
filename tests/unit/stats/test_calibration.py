"""What equal variants teach about noise."""

import json

import numpy as np
import pytest
from scipy.stats import lognorm, norm

from include.stats.calibration import (
    BANDS,
    LEAST_PERIODS,
    PRIOR,
    Calibration,
    Noise,
    calibrate,
    log_hazard,
    pooled,
    spread_between,
)

SAMPLING = 0.02**2


def test_the_log_hazard_is_the_slope_of_the_number_beyond():
    latency = lognorm(s=0.4)
    for share in (0.5, 0.9, 0.99):
        at = latency.ppf(share)
        slope = (np.log(latency.sf(at * 1.001)) - np.log(latency.sf(at / 1.001))) / (2 * np.log(1.001))
        assert log_hazard(share=share, spread=0.4) == pytest.approx(-slope, rel=1e-4)


def test_the_spread_comes_from_the_two_nearest_quantiles():
    quantiles = {share: float(np.exp(0.3 * norm.ppf(share))) for share in (0.5, 0.9, 0.99)}
    assert spread_between(quantiles, 0.9) == pytest.approx(0.3)
    assert spread_between({0.5: 1.0}, 0.5) is None
    assert spread_between({0.5: 1.0, 0.9: 1.0}, 0.5) is None


def test_the_design_effect_is_the_variance_that_jitter_adds():
    rng = np.random.default_rng(60)
    noise = Noise(jitter_sd=0.05, autocorrelation=0.0, offset_sd=0.0, source="made up")
    total, h = 400, 4.0
    odds = rng.normal(0, np.sqrt(2) * 0.05 * h, 200_000)
    counts = rng.binomial(total, 1 / (1 + np.exp(-odds)))
    measured = counts.var() / (total / 4)
    assert noise.design_effect(exceedances=total, shadow_share=0.5, log_hazard=h) == pytest.approx(
        measured, rel=0.05
    )


def test_memory_lengthens_the_noise_and_never_shortens_it():
    def noise(rho):
        return Noise(jitter_sd=0.05, autocorrelation=rho, offset_sd=0.0, source="made up")

    assert noise(0.6).memory == pytest.approx(4)
    assert noise(-0.5).memory == 1
    assert noise(0.8).design_effect(exceedances=100, shadow_share=0.5, log_hazard=2) > noise(0).design_effect(
        exceedances=100, shadow_share=0.5, log_hazard=2
    )


def test_the_prior_says_that_it_is_one():
    assert "assumed" in PRIOR.source


@pytest.mark.parametrize("change", [{"jitter_sd": -1}, {"autocorrelation": 1}, {"offset_sd": -0.1}])
def test_noise_that_cannot_be_is_refused(change):
    with pytest.raises(ValueError, match="standard deviations"):
        Noise(**{"jitter_sd": 0.1, "autocorrelation": 0.1, "offset_sd": 0.1, "source": "", **change})


def rollouts(runs, *, jitter, memory, offset, periods=60, seed=61):
    """Yield the log ratios of A/A rollouts: both variants' AR(1) jitter, a lasting offset, noise of requests."""
    rng = np.random.default_rng(seed)
    for _ in range(runs):
        steps = rng.normal(0, jitter, (2, periods))
        steps[:, 1:] *= np.sqrt(1 - memory**2)
        for i in range(1, periods):
            steps[:, i] += memory * steps[:, i - 1]
        noise = rng.normal(0, np.sqrt(0.6 * SAMPLING), periods)  # the rest of it was shared
        yield steps[1] - steps[0] + noise + rng.normal(0, offset)


def taught(ratios, **facts):
    return calibrate(ratios, np.full(len(ratios), SAMPLING), rollout_id="a", **facts)


@pytest.mark.parametrize(
    ("jitter", "memory", "offset"), [(0.03, 0.6, 0.02), (0.1, 0.8, 0.02), (0.01, 0.0, 0.05)]
)
def test_many_equal_rollouts_teach_the_noise_they_had(jitter, memory, offset):
    found = pooled([taught(r) for r in rollouts(40, jitter=jitter, memory=memory, offset=offset)])
    assert found.jitter_sd == pytest.approx(jitter, rel=0.15)
    assert found.autocorrelation == pytest.approx(memory, abs=0.12)
    assert found.offset_sd == pytest.approx(offset, rel=0.35)
    assert "40 A/A rollouts" in found.source


def test_one_rollout_moves_the_prior_and_many_leave_it():
    quiet = [taught(r) for r in rollouts(30, jitter=0.005, memory=0.0, offset=0.002)]
    one, many = pooled(quiet[:1]), pooled(quiet)
    assert many.jitter_sd < one.jitter_sd < PRIOR.jitter_sd
    assert many.offset_sd < one.offset_sd
    assert "3 % jitter" in one.source
    assert pooled([]) is PRIOR


def test_harsh_jitter_is_seen_in_a_single_rollout():
    found = [
        pooled([taught(r)]).jitter_sd * pooled([taught(r)]).memory ** 0.5
        for r in rollouts(20, jitter=0.1, memory=0.8, offset=0.02)
    ]
    assert np.median(found) == pytest.approx(0.3, rel=0.3)
    assert min(found) > 0.1  # three times what the prior says


def test_one_bad_period_changes_little():
    ratios = next(rollouts(1, jitter=0.03, memory=0.5, offset=0.0))
    bad = ratios.copy()
    bad[17] = np.log(50)
    clean, spoiled = pooled([taught(ratios)]), pooled([taught(bad)])
    assert spoiled.jitter_sd == pytest.approx(clean.jitter_sd, rel=0.15)
    assert abs(taught(bad).mean - taught(ratios).mean) < 0.01


def test_missing_periods_change_little_and_too_few_teach_nothing():
    ratios = next(rollouts(1, jitter=0.03, memory=0.5, offset=0.0))
    holes = ratios.copy()
    holes[::9] = np.nan
    assert pooled([taught(holes)]).jitter_sd == pytest.approx(pooled([taught(ratios)]).jitter_sd, rel=0.25)
    holes[LEAST_PERIODS:] = np.nan
    assert taught(holes) is None


def test_a_calibration_is_stored_as_json_and_read_back_equal():
    found = taught(next(rollouts(1, jitter=0.03, memory=0.5, offset=0.0, periods=1440)), flips=3, pairs=1000)
    assert len(found.powers) == BANDS
    text = json.dumps(found.to_document(), sort_keys=True, allow_nan=False)
    again = Calibration.from_document({**json.loads(text), "written_at": "2026-03-01T12:00:00Z"})
    assert again == found
    assert json.dumps(again.to_document(), sort_keys=True) == text


def test_flips_pool_over_rollouts():
    ratios = next(rollouts(1, jitter=0.03, memory=0.5, offset=0.0))
    found = pooled([taught(ratios, flips=f, pairs=5000) for f in (150, 160)])
    assert found.flip_rate == pytest.approx(0.03, rel=0.1)
    assert PRIOR.flip_rate == 0


@pytest.mark.parametrize(
    "change",
    [{"powers": (1.0,)}, {"powers": (-1.0,) * 29}, {"mean": float("nan")}, {"flips": 3}, {"sampling": 0.0}, {"periods": 2}],
    ids=["lengths", "negative", "nan", "flips", "sampling", "periods"],
)  # fmt: skip
def test_a_calibration_that_cannot_be_is_refused(change):
    document = taught(next(rollouts(1, jitter=0.03, memory=0.5, offset=0.0))).to_document()
    with pytest.raises(ValueError, match=r"calibration|periods"):
        Calibration.from_document({**document, **change})


def test_ratios_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="finite"):
        calibrate([float("inf")] * 20, [0.1] * 20, rollout_id="a")
    with pytest.raises(ValueError, match="flip rate"):
        Noise(jitter_sd=0.1, autocorrelation=0.0, offset_sd=0.1, source="", flip_rate=1.1)
