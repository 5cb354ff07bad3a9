"""The containers' own times, held against margins pair by pair."""

import numpy as np
import pytest

from include.pairs.collect import Shard
from include.rollout.pace import BINS, STEP, Signs, bin_of
from tests.unit.pairs.conftest import BEGIN, record

TERMS = {"output": "json", "latency": "$.ms"}


def captures(rng, n):
    """Return the times of so many requests over five minutes, and the captures that report them."""
    common = rng.normal(3, 0.5, n)
    own = {side: np.exp(common + rng.normal(0.05 * i, 0.3, n)).round(3) for i, side in enumerate("ps")}
    seconds = np.sort(rng.integers(0, 300, n))
    lines = {
        side: [
            record({"score": 1, "ms": ms}, id=str(i), input=str(i), second=int(seconds[i]))
            for i, ms in enumerate(times.tolist())
        ]
        for side, times in own.items()
    }
    return own["p"], own["s"], seconds, lines["p"], lines["s"]


def test_every_pair_is_counted_by_its_period_and_its_level(pairs):
    p, s, seconds, production, shadow = captures(np.random.default_rng(1), 400)
    paces = pairs(production, shadow, margins=(0.1, 0.25), **TERMS).paces
    assert set(paces) == {0.1, 0.25}
    for margin, pace in paces.items():
        apart = np.log(s / p) - np.log1p(margin)
        levels = np.floor(np.log(p * s) / 2 / STEP)
        for minute in range(5):
            found = pace.periods[int(BEGIN.timestamp()) + 60 * minute]
            here = seconds // 60 == minute
            assert sorted(found) == sorted(set(levels[here]))
            for level, each in found.items():
                mine = [bin_of(excess) for excess in apart[here & (levels == level)].tolist()]
                assert each.counts == tuple(mine.count(place) for place in range(BINS))


def test_the_shards_add_up_to_the_whole(pairs):
    *_, production, shadow = captures(np.random.default_rng(2), 200)
    whole = pairs(production, shadow, margins=(0.1,), **TERMS)
    parts = [
        pairs(production, shadow, shard=Shard(index=i, count=3), margins=(0.1,), **TERMS) for i in (2, 0, 1)
    ]
    assert (parts[0] + parts[1] + parts[2]).paces == whole.paces


def test_a_pair_exactly_at_the_margin_is_not_slower(pairs):
    production = [record({"score": 1, "ms": 10}, id=str(i)) for i in range(5)]
    shadow = [record({"score": 1, "ms": ms}, id=str(i)) for i, ms in enumerate((11, 11, 11, 12, 9))]
    (levels,) = pairs(production, shadow, margins=(0.1,), **TERMS).paces[0.1].periods.values()
    assert sum(sum(each.counts[BINS // 2 :]) for each in levels.values()) == 1


@pytest.mark.parametrize(
    ("terms", "output"),
    [({"output": "json"}, {"score": 1, "ms": 3}), (TERMS, {"score": 1}), (TERMS, {"score": 1, "ms": -3})],
    ids=["not asked for", "missing", "impossible"],
)
def test_without_times_nothing_is_held_against_a_margin(pairs, terms, output):
    lines = [record(output, id=str(i)) for i in range(3)]
    found = pairs(lines, lines, margins=(0.1,), **terms)
    assert found.all.n == 3
    assert found.paces == {}
    assert "paces" not in found.to_document()


@pytest.mark.parametrize("bad", [(1,), (-1, *(0,) * (BINS - 1))])
def test_counts_that_cannot_be_are_refused(bad):
    with pytest.raises(ValueError, match="at least 0"):
        Signs(counts=bad)
