"""The null of every rate comparison: the best rates on a line."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import xlog1py, xlogy

from include.stats.constrained import boundary_rates


def log_likelihood(p, ratio, difference, xs, ns, xp, n_p):
    q = ratio * p + difference
    return xlogy(xs, q) + xlog1py(ns - xs, -q) + xlogy(xp, p) + xlog1py(n_p - xp, -p)


@given(
    ns=st.integers(1, 10_000),
    n_p=st.integers(1, 10_000),
    shares=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    line=st.sampled_from([(1.0, 0.0), (1.5, 0.0), (1.0, 0.005), (1.0, 0.4), (3.0, 0.1)]),
)
def test_no_other_point_of_the_line_is_more_likely(ns, n_p, shares, line):
    xs, xp = round(ns * shares[0]), round(n_p * shares[1])
    ratio, difference = line
    p, q = boundary_rates(
        shadow_errors=xs,
        shadow_requests=ns,
        production_errors=xp,
        production_requests=n_p,
        ratio=ratio,
        difference=difference,
    )
    top = min(1.0, (1 - difference) / ratio)
    assert 0 <= p <= top
    assert q == pytest.approx(ratio * p + difference)
    best = minimize_scalar(
        lambda at: -log_likelihood(at, ratio, difference, xs, ns, xp, n_p),
        bounds=(1e-12, top - 1e-12),
        method="bounded",
    )
    assert log_likelihood(p, ratio, difference, xs, ns, xp, n_p) >= -best.fun - 1e-6


def test_it_answers_for_arrays_as_for_single_samples():
    xs, ns = np.array([0, 3, 40]), np.array([100, 100, 50])
    together, _ = boundary_rates(
        shadow_errors=xs, shadow_requests=ns, production_errors=2, production_requests=300, difference=0.01
    )
    for i in range(3):
        alone, _ = boundary_rates(
            shadow_errors=xs[i],
            shadow_requests=ns[i],
            production_errors=2,
            production_requests=300,
            difference=0.01,
        )
        assert together[i] == pytest.approx(float(alone), rel=1e-12)


def test_a_line_outside_the_unit_square_is_refused():
    with pytest.raises(ValueError, match="unit square"):
        boundary_rates(
            shadow_errors=0,
            shadow_requests=1,
            production_errors=0,
            production_requests=1,
            difference=1.0,
        )


@pytest.mark.parametrize("ratio", [1.0, 1.5, 4.0])
def test_the_closed_form_of_a_ratio_is_what_newton_finds(ratio):
    rng = np.random.default_rng(15)
    ns, n_p = rng.integers(1, 5000, (2, 500)).astype(float)
    counts = {
        "shadow_errors": np.floor(ns * rng.random(500) ** 4),
        "shadow_requests": ns,
        "production_errors": np.floor(n_p * rng.random(500) ** 4),
        "production_requests": n_p,
    }
    closed, _ = boundary_rates(**counts, ratio=ratio)
    found, _ = boundary_rates(**counts, ratio=ratio, difference=1e-14)
    assert closed == pytest.approx(found, rel=1e-8, abs=1e-12)
