"""Lines come out as they went in, however the file was cut into chunks."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from include.pairs import lines as module
from include.pairs.lines import lines

TEXTS = st.lists(
    st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=20), max_size=8
)


def read(chunks: list[bytes]) -> list[bytes]:
    return [some[row] for some in lines(chunks) for row in range(some.ends.size)]


@settings(max_examples=200, deadline=None)
@given(texts=TEXTS, cuts=st.lists(st.integers(0, 200), max_size=5), ended=st.booleans())
def test_lines_are_the_same_whatever_the_chunks(texts, cuts, ended):
    content = "\n".join(texts).encode() + (b"\n" if ended else b"")
    edges = sorted({0, len(content), *(cut for cut in cuts if cut < len(content))})
    chunks = [content[a:b] for a, b in pairwise(edges)]
    whole = content.split(b"\n")
    assert read(chunks) == (whole[:-1] if whole[-1] == b"" else whole)


@settings(max_examples=100, deadline=None)
@given(texts=TEXTS, cut=st.integers(0, 200))
def test_characters_below_the_space_are_told_where_they_are(texts, cut):
    content = "\n".join([*texts, ""]).encode()
    for some in lines([content[:cut], content[cut:]]):
        expected = [i for i, byte in enumerate(some.body.tobytes()) if byte < 32 and byte != 10]
        assert some.controls.tolist() == expected


def test_a_line_without_end_is_cut_off_and_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "LONGEST", 100)
    endless = [b"x" * 60] * 50
    assert read([b"first\n", *endless, b"\nlast\n"]) == [b"first", b"?", b"last"]
    assert read([b"first\n", *endless]) == [b"first", b"?"]
