"""What a rule names never gets through; what none names stays as it was."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.replay.redaction import Action, Redacted, Redaction, Rule
from include.replay.request import Request
from include.replay.source import Report

KEY = b"0123456789abcdef"


def redaction(*rules: tuple[str, int | str]) -> Redaction:
    return Redaction(
        rules=tuple(Rule(action=Action(action), where=where) for action, where in rules), key=KEY
    )


def redacted(requests: list[Request], rules: Redaction, report: Report) -> list[Request]:
    return list(Redacted(requests=requests, redaction=rules, content_type="text/csv", report=report))


HASH_OF_2 = redaction(("hash", 0)).body(b"2", "text/csv").decode()


@pytest.mark.parametrize(
    ("rules", "body", "expected"),
    [
        ([("drop", 0)], b"1,2,3", b"2,3"),
        ([("drop", 0), ("drop", 2)], b"1,2,3", b"2"),
        ([("mask", 1)], b"1,2,3", b"1,,3"),
        ([("hash", 1)], b"1,2,3", f"1,{HASH_OF_2},3".encode()),
        ([("mask", 1)], b'1,"a, ""b""", 3.50', b"1,, 3.50"),
        ([("mask", 0)], b'1,"a, ""b""", 3.50', b',"a, ""b""", 3.50'),
        ([("drop", 1)], b"1,2\n3,4\n", b"1\n3\n"),
        ([("mask", 0), ("drop", 0)], b"1,2", b"2"),
    ],
    ids=["drop", "drop two", "mask", "hash", "quoted", "beside quoted", "rows", "drop wins"],
)
def test_columns_are_redacted_and_the_others_stay_byte_for_byte(
    rules: list[tuple[str, int | str]], body: bytes, expected: bytes
) -> None:
    assert redaction(*rules).body(body, "text/csv; charset=utf-8") == expected


DOCUMENT = {
    "id": 7,
    "customer": {"name": "Eve", "odd name": 1},
    "items": [{"card": "4111"}, {"card": "4242", "n": 2}, 5],
}


@pytest.mark.parametrize(
    ("rules", "path", "expected"),
    [
        ([("drop", "$.customer.name")], ("customer",), {"odd name": 1}),
        ([("mask", "$.customer['odd name']")], ("customer",), {"name": "Eve", "odd name": None}),
        ([("drop", "$.items[*].card")], ("items",), [{}, {"n": 2}, 5]),
        ([("mask", "$.items[0].card")], ("items", 0), {"card": None}),
        ([("drop", "$.items[*]")], ("items",), []),
        ([("drop", "$.items[9]"), ("drop", "$.absent.deep"), ("drop", "$.id.deeper")], ("id",), 7),
    ],
    ids=["field", "quoted name", "every item", "one item", "all items", "nothing there"],
)
def test_json_paths_are_redacted(
    rules: list[tuple[str, int | str]], path: tuple[str | int, ...], expected: object
) -> None:
    found = json.loads(redaction(*rules).body(json.dumps(DOCUMENT).encode(), "application/json"))
    for step in path:
        found = found[step]
    assert found == expected


def test_equal_values_hash_alike_and_another_key_hashes_otherwise() -> None:
    rule = (Rule(action=Action.HASH, where="$.a"),)
    one = Redaction(rules=rule, key=KEY)
    assert one.body(b'{"a": 1, "b": 2}', "application/json") == one.body(b'{"a":1,"b":2}', "application/json")
    other = Redaction(rules=rule, key=KEY[::-1])
    assert one.body(b'{"a": 1}', "application/json") != other.body(b'{"a": 1}', "application/json")


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["a", "b", "secret"]), inner, max_size=3)
        ),
        max_leaves=10,
    )
)
def test_json_that_no_rule_names_keeps_its_values(document: object) -> None:
    body = redaction(("drop", "$.nowhere.at.all")).body(json.dumps(document).encode(), "application/json")
    assert json.loads(body) == document


def test_each_line_of_json_lines_is_redacted() -> None:
    body = redaction(("drop", "$.a")).body(b'{"a":1,"b":2}\n{"b":3}\n', "application/jsonlines")
    assert body == b'{"b":2}\n{"b":3}\n'


@pytest.mark.parametrize(
    ("rules", "body", "content_type"),
    [
        ([("drop", 5)], b"secret,2", "text/csv"),
        ([("drop", 0)], b'"secret,2', "text/csv"),
        ([("drop", "$.a")], b"{secret", "application/json"),
        ([("drop", "$.a")], b"secret", "application/x-npy"),
        ([("drop", "$.a")], b"secret,2", "text/csv"),
        ([("drop", 0)], b'{"a": "secret"}', "application/json"),
    ],
    ids=["too few columns", "open quote", "no JSON", "another type", "no column named", "no path named"],
)
def test_what_cannot_be_redacted_is_bad_never_sent_and_never_quoted(
    rules: list[tuple[str, int | str]], body: bytes, content_type: str
) -> None:
    report = Report(limit=1.0, read=1)
    requests = [Request(body=body, content_type=content_type, origin="f:1")]
    assert redacted(requests, redaction(*rules), report) == []
    assert (report.read, report.bad) == (1, 1)
    assert "secret" not in report.examples[0]


def test_the_request_keeps_everything_but_its_body() -> None:
    request = Request(body=b"1,2", content_type="text/csv", recorded=5.0, origin="f:1")
    (found,) = redacted([request], redaction(("drop", 0)), Report())
    assert found == Request(body=b"2", content_type="text/csv", recorded=5.0, origin="f:1")


@pytest.mark.parametrize("path", ["", "a.b", "$", "$.", "$..a", "$[x]", "$.a[", -1])
def test_a_path_that_leads_nowhere_is_refused(path: int | str) -> None:
    with pytest.raises(ValueError, match=r"no path|numbered from 0"):
        Rule(action=Action.DROP, where=path)


def test_hashing_needs_a_key_and_no_representation_shows_it() -> None:
    with pytest.raises(ValueError, match="at least 16"):
        Redaction(rules=(Rule(action=Action.HASH, where=0),), key=b"short")
    assert "0123456789" not in repr(redaction(("hash", 0)))
