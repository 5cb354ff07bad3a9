"""Lines come out as they went in, however the file was cut into chunks."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from include.pairs import lines
from include.pairs.lines import batches

TEXTS = st.lists(
    st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=20), max_size=8
)


def read(chunks: list[bytes]) -> list[str]:
    return [str(line).rstrip("\n") for batch in batches(chunks) for line in batch.column(0)]


@settings(max_examples=200, deadline=None)
@given(texts=TEXTS, cuts=st.lists(st.integers(0, 200), max_size=5), ended=st.booleans())
def test_lines_are_the_same_whatever_the_chunks(texts, cuts, ended):
    content = "\n".join(texts).encode() + (b"\n" if ended else b"")
    edges = sorted({0, len(content), *(cut for cut in cuts if cut < len(content))})
    chunks = [content[a:b] for a, b in pairwise(edges)]
    whole = content.decode().split("\n")
    assert read(chunks) == (whole[:-1] if whole[-1] == "" else whole)


def test_what_is_no_text_does_not_take_its_neighbours_along():
    assert read([b"good\n\xff\xfe\nalso good\n"]) == ["good", "?", "also good"]


def test_a_line_without_end_is_cut_off_and_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(lines, "LONGEST", 100)
    endless = [b"x" * 60] * 50
    assert read([b"first\n", *endless, b"\nlast\n"]) == ["first", "?", "last"]
    assert read([b"first\n", *endless]) == ["first", "?"]
