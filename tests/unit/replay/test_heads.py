"""An answer that is known again is what the parser would have said of it; anything else is left to the parser."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.replay.account import FailureKind
from include.replay.connection import IDLE, Connection
from include.replay.heads import Heads

ID = "8f6b3a6e-0c7e-4c56-9f0e-3f5f6f0f9b1a"


def answer(
    body: bytes = b"0.25",
    *,
    id: str = ID,
    date: str = "Sun, 01 Mar 2026 12:00:00 GMT",
    status: int = 200,
    more: str = "",
    length: int | None = None,
) -> bytes:
    head = (
        f"HTTP/1.1 {status} OK\r\nx-amzn-RequestId: {id}\r\nDate: {date}\r\nContent-Type: text/csv\r\n{more}"
        f"Content-Length: {len(body) if length is None else length}\r\n\r\n"
    )
    return head.encode() + body


def taught(*answers: bytes) -> Heads:
    heads = Heads()
    for one in answers:
        for _ in range(8):
            heads.learn(one, 200)
    return heads


def test_an_answer_is_known_again_with_another_body_and_another_id() -> None:
    heads = taught(answer())
    assert heads.status(answer(b"9\r\n\r", id=ID.replace("8", "a"))) == 200
    assert taught(answer(status=202)).status(answer()) == 0


@pytest.mark.parametrize(
    "other",
    [
        answer()[:-1],
        answer() + b"x",
        answer(b"0.2"),
        answer(b"0.251"),
        answer(length=3),
        answer(status=201),
        answer(status=500),
        answer(date="Sun, 01 Mar 2026 12:00:01 GMT"),
        answer(id=ID.replace("-", "\r")),
        answer(id=ID.replace("-", "\n")),
        answer(id=ID.replace("-", "\0")),
        answer(id=ID.replace("-", ":")),
        b"",
    ],
    ids=[
        "cut off",
        "longer",
        "shorter body",
        "longer body",
        "another length",
        "another good status",
        "bad status",
        "another date",
        "CR in the id",
        "LF in the id",
        "NUL in the id",
        "colon in the id",
        "nothing",
    ],
)
def test_an_answer_that_differs_where_it_matters_is_not_known(other: bytes) -> None:
    assert taught(answer()).status(other) == 0


@pytest.mark.parametrize(
    "unfit",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0.25\r\n0\r\n\r\n",
        answer(b"4\r\n0.25\r\n0\r\n\r\n", more="Transfer-Encoding: chunked\r\n"),
        b"HTTP/1.1 100 Continue\r\n\r\n" + answer(),
        b"HTTP/1.1 204 No Content\r\n\r\n",
        answer() + answer(),
    ],
    ids=["chunked", "chunked with a length", "100 first", "without a length", "two"],
)
def test_what_a_length_does_not_frame_is_never_learnt(unfit: bytes) -> None:
    assert taught(unfit).status(unfit) == 0


def test_what_is_known_does_not_grow_without_end() -> None:
    heads = taught(*(answer(b"x" * size) for size in range(200)))
    assert sum(heads.status(answer(b"x" * size)) == 200 for size in range(200)) <= 64
    assert heads.status(answer(b"x" * 199)) == 200


class Deaf(Heads):
    """Leaves every answer to the parser."""

    def learn(self, read: bytes, status: int) -> None:
        pass


class Owner:
    """Writes down what becomes of requests."""

    def __init__(self) -> None:
        self.outcomes: list[tuple[int, int, FailureKind | None, bool]] = []

    def ended(self, connection: Connection, status: int, failure: FailureKind | None) -> None:
        self.outcomes.append((connection.index, status, failure, connection.usable))
        connection.index = IDLE

    def lost(self, connection: Connection) -> None:
        pass


class Wire:
    def send(self, message: bytes) -> None:
        pass

    def close(self) -> None:
        pass


def outcomes(reads: list[bytes], heads: Heads) -> list[tuple[int, int, FailureKind | None, bool]]:
    """Read for one request after the other, on a new connection after each that cannot be used again."""
    owner, connection = Owner(), None
    for index, read in enumerate([answer()] * 8 + reads):
        if connection is None or not connection.usable:
            connection = Connection(owner, heads)
            connection.open(Wire())  # type: ignore[arg-type]
        if connection.index == IDLE:
            connection.index = index
        connection.received(read)
    return owner.outcomes


like = st.sampled_from(
    [
        answer(),
        answer(b"4\r\n\r"),
        answer(b"0.251"),
        answer(id=ID[::-1]),
        answer(status=424),
        answer(more="Connection: close\r\n"),
        answer(date="Sun, 01 Mar 2026 12:00:01 GMT"),
    ]
)
reads = st.one_of(
    like,
    like,
    st.tuples(like, like).map(b"".join),
    like.map(lambda one: b"HTTP/1.1 100 Continue\r\n\r\n" + one),
    st.just(b"HTTP/1.1 100 Continue\r\n\r\n"),
    st.tuples(like, st.integers(1, 200)).map(lambda cut: cut[0][: cut[1]]),
    st.tuples(like, st.integers(1, 200)).map(lambda cut: cut[0] + cut[0][: cut[1]]),
    st.tuples(like, st.integers(0, 160), st.integers(0, 255)).map(
        lambda hit: hit[0][: hit[1]] + bytes([hit[2]]) + hit[0][hit[1] + 1 :]
    ),
    st.binary(min_size=1, max_size=40),
)


@settings(deadline=None, max_examples=400)
@given(st.lists(reads, max_size=12))
def test_with_known_heads_every_request_ends_as_it_does_by_the_parser_alone(given_: list[bytes]) -> None:
    assert outcomes(given_, Heads()) == outcomes(given_, Deaf())


def test_after_an_answer_that_another_one_follows_the_connection_is_not_used_again() -> None:
    for tail in (answer()[:30], answer()[:-1], b"HTTP/1.1 100 Continue\r\n"):
        assert outcomes([answer() + tail], Heads())[-1] == (8, 200, None, False)
