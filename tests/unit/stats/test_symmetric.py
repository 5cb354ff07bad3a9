"""Evidence from one number a period."""

import numpy as np
import pytest

from include.stats.eprocess import log_threshold
from include.stats.symmetric import RATES, symmetric_log_e


def test_it_is_the_mean_of_its_supermartingales():
    x = np.array([0.1, -0.05, 0.2])
    s, v = x.sum(), (x**2).sum()
    expected = np.log(np.mean([np.exp(rate * s - rate**2 * v / 2) for rate in RATES]))
    assert symmetric_log_e(x)[-1] == pytest.approx(expected)


@pytest.mark.parametrize("noise", ["normal", "cauchy"])
def test_symmetric_noise_of_any_scale_crosses_at_most_at_alpha(noise):
    rng = np.random.default_rng(50)
    draw = rng.normal if noise == "normal" else lambda _, scale, size: scale * rng.standard_cauchy(size)
    crossed = [
        (symmetric_log_e(draw(0, scale, 60)) >= log_threshold(0.01)).any()
        for scale in (0.01, 0.1, 1.0)
        for _ in range(700)
    ]
    assert np.mean(crossed) <= 0.01


def test_it_grows_by_at_most_half_a_nat_a_period():
    steps = np.diff(np.concatenate(([0.0], symmetric_log_e(np.full(50, 0.2)))))
    assert (steps <= 0.5).all()


def test_a_missing_period_changes_nothing():
    assert symmetric_log_e([0.1, np.nan, 0.2])[2] == symmetric_log_e([0.1, 0.2])[1]


@pytest.mark.parametrize("bad", [{"excesses": [np.inf]}, {"excesses": [0.1], "phi": 0.5}])
def test_what_cannot_be_is_refused(bad):
    with pytest.raises(ValueError, match=r"finite"):
        symmetric_log_e(**bad)
