"""What equal variants teach about noise."""

import numpy as np
import pytest
from scipy.stats import lognorm, norm

from include.stats.calibration import PRIOR, Noise, log_hazard, spread_between


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
