"""Elements of vectors and labels are counted one by one, and shard by shard."""

import pytest

from include.pairs.collect import Shard
from include.rollout.columns import MOST_COLUMNS, Columns, Label
from tests.unit.pairs.conftest import record


def records(outputs):
    return [
        record(output, id=f"r{i}", input=f"{i},2", second=i, event=f"e{i}")
        for i, output in enumerate(outputs)
    ]


def test_every_element_is_summed_and_sketched(pairs):
    found = pairs(
        records(["0.1,0.2,0.7", "0.5,0.25,0.25", "1,2", "no"]),
        records(["0.1,0.3,0.6", "0.5,0.25,0.25", "1,3,9", "1,2,3"]),
        output="vector",
    ).columns
    assert set(found.elements) == {"1", "2"}
    one, two = found.elements["1"], found.elements["2"]
    assert one.shift.n == 3
    assert one.shift.mean == pytest.approx((0.1 + 0 + 1) / 3)
    assert one.production.mean == pytest.approx((0.2 + 0.25 + 2) / 3)
    assert one.shadow_outputs.n == 4
    assert (two.shift.n, two.production.n, two.shadow.n) == (2, 2, 4)
    assert two.shift.mean == pytest.approx(-0.05)


def test_labels_are_counted_for_either_variant_and_both(pairs):
    found = pairs(
        records(["yes", "yes", "no", "no", ""]), records(["yes", "no", "no", "maybe", "yes"]), output="label"
    ).columns
    assert found.labels == {
        "yes": Label(production=2, shadow=1, both=1),
        "no": Label(production=2, shadow=2, both=1),
        "maybe": Label(shadow=1),
    }


def test_numbers_have_no_other_columns(pairs):
    assert pairs(records(["0.1", "0.2"]), records(["0.1", "0.2"])).columns == Columns()


@pytest.mark.parametrize("output", ["vector", "label"])
def test_too_many_are_said_to_be_many(pairs, output):
    row = ",".join(str(i) for i in range(MOST_COLUMNS + 1))
    lines = [row] if output == "vector" else row.split(",")
    assert pairs(records(lines), records(lines), output=output).columns == Columns(many=True)


@pytest.mark.parametrize("output", ["vector", "label"])
def test_the_parts_of_all_shards_are_the_whole(pairs, output):
    one, other = records([f"0.{i},{i}" for i in range(30)]), records([f"0.{i},{i % 7}" for i in range(30)])
    whole = pairs(one, other, output=output)
    parts = [pairs(one, other, output=output, shard=Shard(index=i, count=3)) for i in range(3)]
    assert parts[2] + (parts[0] + parts[1]) == whole
    assert whole.columns
