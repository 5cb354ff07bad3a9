"""The least number of pairs is the one at which the limit first lies below what is allowed."""

import math

import pytest

from include.stats.flips import least_pairs
from include.stats.proportions import Counts, clopper_pearson, difference_upper


@pytest.mark.parametrize("limit", [0.001, 0.01, 0.05, 0.3])
@pytest.mark.parametrize("alpha", [0.05, 0.025, 0.01])
def test_one_pair_fewer_would_not_do(limit, alpha):
    n = least_pairs(limit=limit, alpha=alpha)
    assert n >= math.log(alpha) / math.log(1 - limit)
    assert clopper_pearson(Counts(errors=0, requests=n), alpha=alpha)[1] < limit
    assert clopper_pearson(Counts(errors=0, requests=n - 1), alpha=alpha)[1] >= limit


def test_a_hundredth_takes_368_pairs_at_half_of_five_per_cent():
    """log(0.025) / log(0.99) = 367.04."""
    assert least_pairs(limit=0.01, alpha=0.025) == 368


def test_productions_own_flips_take_more_pairs_and_too_few_of_them_never_end():
    noise = Counts(errors=300, requests=10_000)
    n = least_pairs(limit=0.01, alpha=0.025, noise=noise)
    assert n > 1000
    for pairs, shown in ((n, True), (n - 1, False)):
        found = Counts(errors=0.03 * pairs, requests=pairs)
        assert (difference_upper(found, noise, alpha=0.025) < 0.01) is shown
    assert least_pairs(limit=0.01, alpha=0.025, noise=Counts(errors=3, requests=100)) is None


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": 1}, {"alpha": 0}, {"alpha": float("nan")}])
def test_what_lies_outside_is_refused(wrong):
    with pytest.raises(ValueError, match="must lie in"):
        least_pairs(**{"limit": 0.01, "alpha": 0.05, **wrong})
