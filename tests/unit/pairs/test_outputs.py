"""When two outputs agree, for every kind of output; what cannot be read agrees with nothing."""

import pytest

from tests.unit.pairs.conftest import record

AGREE, FLIP, NEITHER = (1, 0), (1, 1), (0, 0)  # compared, flips


@pytest.mark.parametrize(
    ("terms", "production", "shadow", "found"),
    [
        pytest.param({}, "0.5", "0.5", AGREE, id="equal numbers"),
        pytest.param({}, "0.5", "0.5000000001", AGREE, id="within the tolerance"),
        pytest.param({}, "0.5", "0.51", FLIP, id="beyond the tolerance"),
        pytest.param({"absolute": 0.02}, "0.5", "0.51", AGREE, id="a wider tolerance"),
        pytest.param({"relative": 0.1}, "100", "109", AGREE, id="a relative tolerance"),
        pytest.param({"threshold": 0.5}, "0.1", "0.4", AGREE, id="the same side of the decision"),
        pytest.param({"threshold": 0.5}, "0.49", "0.5", FLIP, id="another side of the decision"),
        pytest.param({}, " 0.5\r\n", "0.5", AGREE, id="blanks around"),
        pytest.param({}, "0.1\n0.2", "0.1\n0.2\n", AGREE, id="a request of two rows"),
        pytest.param({}, "0.1\n0.2", "0.1", FLIP, id="a row is missing"),
        pytest.param({}, "[0.1, 0.2]", "0.1,0.2", AGREE, id="JSON and CSV"),
        pytest.param({}, "0.1", "", FLIP, id="an empty answer"),
        pytest.param({}, "0.1", "error", FLIP, id="an answer that is no number"),
        pytest.param({}, "nan", "0.1", FLIP, id="production says NaN"),
        pytest.param({}, "0.1", "inf", FLIP, id="the shadow says infinity"),
        pytest.param({}, "nan", "nan", NEITHER, id="neither can be read"),
        pytest.param({"at": 1}, "yes,0.5", "no,0.5", AGREE, id="one column"),
        pytest.param({"at": "$.score"}, {"score": 1, "id": 2}, {"score": 1, "id": 3}, AGREE, id="one path"),
        pytest.param({"at": "$.p[*].s"}, {"p": [{"s": 1}, {"s": 2}]}, {"p": [{"s": 1}, {"s": 3}]}, FLIP, id="paths"),
        pytest.param({"at": "$.score"}, {"score": 1}, {"other": 1}, FLIP, id="a path that is not there"),
        pytest.param({"output": "vector"}, "0.1,0.9", "0.1,0.9", AGREE, id="equal vectors"),
        pytest.param({"output": "vector", "argmax": True}, "0.1,0.9", "0.4,0.6", AGREE, id="the same class"),
        pytest.param({"output": "vector", "argmax": True}, "0.1,0.9", "0.6,0.4", FLIP, id="another class"),
        pytest.param({"output": "vector", "argmax": True}, "0.1,0.9", "0.1,0.8,0.1", FLIP, id="another length"),
        pytest.param({"output": "label"}, "yes", " yes\n", AGREE, id="equal labels"),
        pytest.param({"output": "label"}, "yes", "no", FLIP, id="other labels"),
        pytest.param({"output": "label", "at": "$.l"}, {"l": "a"}, {"l": "a", "t": 1}, AGREE, id="a label in JSON"),
        pytest.param({"output": "label"}, "yes", "", FLIP, id="a label is missing"),
        pytest.param({"output": "json"}, {"a": 1, "b": [1]}, {"b": [1.0], "a": 1}, AGREE, id="equal documents"),
        pytest.param({"output": "json"}, {"a": 1}, {"a": "1"}, FLIP, id="a number and a text"),
        pytest.param({"output": "json"}, {"a": 1}, "broken", FLIP, id="no document"),
        pytest.param(
            {"output": "json", "ignore": ["$.id", "$.i[*].t"]},
            {"id": 1, "i": [{"t": 1, "v": 2}]},
            {"i": [{"t": 9, "v": 2}]},
            AGREE,
            id="ignored fields",
        ),
        pytest.param({"output": "ranked", "top": 2}, ["a", "b", "c"], ["b", "a", "x"], AGREE, id="the same top"),
        pytest.param({"output": "ranked", "top": 2}, ["a", "b"], ["a", "c"], FLIP, id="another top"),
        pytest.param({"output": "ranked", "top": 2, "overlap": 0.5}, "a,b", "a,c", AGREE, id="half is enough"),
        pytest.param({"output": "ranked", "at": "$.items[*].id"}, {"items": [{"id": 1}]}, {"items": []}, FLIP, id="none"),
    ],
)  # fmt: skip
def test_outputs_agree_under_the_stated_terms(pairs, terms, production, shadow, found):
    counted = pairs([record(production, id="a")], [record(shadow, id="a")], **terms)
    assert (counted.all.n, counted.all.flips) == found
    assert counted.unreadable == 1 - found[0]


def test_a_difference_is_of_the_element_that_differs_most(pairs):
    counted = pairs([record("1,2,3", id="a")], [record("1,1.5,3.1", id="a")], output="vector")
    assert counted.all.difference.mean == pytest.approx(-0.5)


def test_decisions_that_turn_are_told_by_their_direction(pairs):
    production = [record(value, id=f"{i}") for i, value in enumerate(("0.1", "0.2", "0.9", "0.5", "x"))]
    shadow = [record(value, id=f"{i}") for i, value in enumerate(("0.6", "0.5", "0.4", "0.7", "1"))]
    counted = pairs(production, shadow, threshold=0.5).all
    assert (counted.rises, counted.falls, counted.flips) == (2, 1, 4)


def test_what_is_out_of_range_is_wild_and_never_a_silent_part_of_the_mean(pairs):
    production = [record("1", id="a"), record("0", id="b"), record("0", id="c"), record("0,0", id="d")]
    shadow = [record("2", id="a"), record("1e300", id="b"), record("error", id="c"), record("0", id="d")]
    counted = pairs(production, shadow)
    assert (counted.all.wild, counted.all.mismatched, counted.all.difference.n) == (1, 2, 1)
    assert counted.all.flips == 4


def test_a_unit_brings_large_outputs_into_range(pairs):
    counted = pairs([record("1e9", id="a")], [record("3e9", id="a")], unit=1e6)
    assert counted.all.wild == 0
    assert counted.all.difference.mean == pytest.approx(2000)


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"output": "label", "threshold": 0.5}, "threshold needs output scalar or vector"),
        ({"argmax": True}, "argmax needs output vector"),
        ({"output": "vector", "argmax": True, "threshold": 1.0}, "name one"),
        ({"ignore": ["$.a"]}, "ignore needs output json"),
        ({"output": "json", "ignore": ["a"]}, "begins with"),
        ({"latency": 1}, "at"),
        ({"segments": [{"name": "a", "at": 0}, {"name": "a", "at": 1}]}, "same name"),
        ({"segments": [{"name": "a", "at": 0, "edges": [2, 1]}]}, "must rise"),
        ({"output": "ranked", "at": "no path"}, "pattern"),
    ],
)
def test_terms_that_cannot_be_meant_are_refused(pairs, terms, words):
    with pytest.raises(ValueError, match=words):
        pairs([], [], **terms)
