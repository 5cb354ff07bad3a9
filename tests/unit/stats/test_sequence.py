"""Limits of the mean log ratio that hold at every look."""

import json
from pathlib import Path

import numpy as np
import pytest

from include.stats.sequence import normal_mixture_bound, quantile_variance, running_limits


def test_the_limits_hold_at_every_look_at_once():
    rng = np.random.default_rng(80)
    missed = 0
    for _ in range(400):
        ratios = rng.normal(0.1, 0.05, 40)
        looks = [running_limits(ratios[:k], [0.05**2] * k, alpha=0.025) for k in range(1, 41)]
        missed += any(not look.lower <= 0.1 <= look.upper for look in looks)
    assert missed <= 400 * 0.05


def test_an_interval_for_one_look_does_not_hold_at_every_look():
    rng = np.random.default_rng(81)
    ratios = rng.normal(0.1, 0.05, (400, 40))
    periods = np.arange(1, 41)
    off = np.abs(np.cumsum(ratios - 0.1, axis=1)) / periods > 1.96 * 0.05 / np.sqrt(periods)
    assert off.any(axis=1).mean() > 0.2


def test_the_mixture_agrees_with_confseq():
    data = json.loads((Path(__file__).parents[2] / "data" / "confseq.json").read_text())
    rho = next(v["expect"] for v in data["vectors"] if v["fn"] == "two_sided_normal_best_rho")
    vectors = [v for v in data["vectors"] if v["fn"] == "normal_mixture_bound"]
    assert vectors
    for vector in vectors:
        found = normal_mixture_bound(vector["args"]["v"], alpha=vector["args"]["alpha"], rho=rho)
        assert found == pytest.approx(vector["expect"], abs=1e-5)


def test_one_period_has_limits_and_more_periods_have_narrower_ones():
    widths = []
    for k in (1, 4, 16, 64):
        limits = running_limits([0.2] * k, [0.03**2] * k, alpha=0.025)
        assert limits.mean == pytest.approx(0.2)
        assert limits.lower < 0.2 < limits.upper
        widths.append(limits.upper - limits.lower)
    assert widths == sorted(widths, reverse=True)


def test_noise_above_the_assumed_one_widens_the_limits():
    ratios = np.tile([-0.2, 0.2], 8)
    seen = running_limits(ratios, [0.01**2] * 16, alpha=0.025)
    assert seen.upper > running_limits([0.0] * 16, [0.1**2] * 16, alpha=0.025).upper


def test_the_lasting_offset_never_averages_out():
    limits = running_limits([0.0] * 10_000, [0.01**2] * 10_000, alpha=0.025, offset_sd=0.02)
    assert limits.upper > 1.95 * 0.02


@pytest.mark.parametrize(("share", "spread"), [(0.5, 0.3), (0.9, 0.3), (0.99, 0.5)])
def test_a_sample_quantile_varies_as_said(share, spread):
    rng = np.random.default_rng(82)
    found = np.quantile(rng.normal(0, spread, (2000, 3000)), share, axis=1)
    assert quantile_variance([3000], share=share, spread=spread)[0] == pytest.approx(found.var(), rel=0.1)


@pytest.mark.parametrize(
    ("ratios", "variances", "alpha"),
    [([], [], 0.025), ([0.1], [0.0], 0.025), ([float("nan")], [0.1], 0.025), ([0.1, 0.2], [0.1], 0.025), ([0.1], [0.1], 0.5)],
    ids=["nothing", "no variance", "not a number", "shapes", "alpha"],
)  # fmt: skip
def test_what_has_no_limits_is_refused(ratios, variances, alpha):
    with pytest.raises(ValueError, match=r"period|alpha"):
        running_limits(ratios, variances, alpha=alpha)
