"""A sample of the answers comes with the counts where it is asked for, whoever collects which part."""

from include.pairs.collect import Shard
from tests.unit.pairs.conftest import record

INPUTS = [f"{i},2" for i in range(40)]


def records(outputs):
    return [
        record(output, id=f"r{i}", input=text, second=i, event=f"e{i}")
        for i, (output, text) in enumerate(zip(outputs, INPUTS, strict=True))
    ]


def test_the_sample_holds_what_both_variants_answered(pairs):
    production = records([f"0.{i:02}" for i in range(40)])
    shadow = records([f"0.{i:02},1" if i else "nothing" for i in range(40)])
    found = pairs(production, shadow, sample=True, output="vector").predictions
    columns = found.columns()
    assert found.total == len(columns["shadow"]) == 40
    told = set(zip(columns["production"], columns["shadow"], columns["shadow_1"], strict=True))
    assert (0.05, 0.05, 1.0) in told
    assert (0.0, None, None) in told
    assert pairs(production, shadow, output="vector").predictions is None


def test_labels_are_text(pairs):
    found = pairs(records(["yes"] * 40), records(["no"] * 40), sample=True, output="label").predictions
    assert set(found.columns()["shadow"]) == {"no"}
    assert set(found.columns()) == {"production", "shadow"}


def test_the_parts_of_all_shards_are_the_sample_of_the_whole(pairs):
    production = records([f"0.{i:02}" for i in range(40)])
    whole = pairs(production, production, sample=True)
    one, other = (pairs(production, production, sample=True, shard=Shard(index=i, count=2)) for i in range(2))
    assert 0 < one.predictions.total < 40
    assert other + one == whole
