"""What is read by position is exactly what a parser would have read."""

import base64
import json
import random
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.pairs.collect import _csv_column
from include.pairs.joining import FIELDS, fields
from include.pairs.layout import Layout
from include.pairs.outputs import CSV_COLUMN, raw_segment
from include.pairs.records import Records, cell
from include.rollout.comparison import Segment

TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.sampled_from(
        ['{"a": 1}', '["x", "y"]', '"', "\\", '\\"', '","encoding":"CSV"},"', "1,2,3", "", "é" * 9, "0.25"]
    ),
    st.integers(0, 90).map(lambda n: "1" * n),
)
TIMES = st.one_of(
    st.sampled_from(["2026-03-01T12:00:00Z", "2026-03-01T12:59:59Z", "2026-03-01T13:00:01Z"]),
    st.sampled_from(
        [
            "2026-03-01T12:00:60Z",
            "2026-03-01T12:6a:00Z",
            "2026-03-01T12:00:00.5Z",
            "2026-02-31T12:00:00Z",
            "",
            "now",
        ]
    ),
)


def document(
    input: Any = "1,2",
    output: Any = "0.5",
    event: Any = "e",
    id: Any = "i",
    time: Any = "2026-03-01T12:00:00Z",
    type: str = "text/csv",
    encoding: str = "CSV",
) -> dict[str, Any]:
    def side(mode: str, data: Any) -> dict[str, Any]:
        return {"observedContentType": type, "mode": mode, "data": data, "encoding": encoding}

    metadata = {"eventId": event, "inferenceId": id, "inferenceTime": time}
    return {
        "captureData": {"endpointInput": side("INPUT", input), "endpointOutput": side("OUTPUT", output)},
        "eventMetadata": {name: value for name, value in metadata.items() if value is not None},
        "eventVersion": "0",
    }


@st.composite
def written(draw: st.DrawFn) -> bytes:
    """One line: nearly always what a machine writes, in one of a few ways; now and then damaged."""
    encoding = draw(st.sampled_from(["CSV", "CSV", "JSON", "BASE64"]))
    texts = [draw(TEXTS) for _ in range(2)]
    if encoding == "BASE64":
        texts = [base64.b64encode(text.encode()).decode() for text in texts]
    record = document(
        *texts,
        event=draw(st.sampled_from(["event-0001", "event-0002", "é", '"'])),
        id=draw(st.one_of(st.none(), st.sampled_from(["", "a", "id-1", "id-with-more-than-twelve"]), TEXTS)),
        time=draw(TIMES),
        encoding=encoding,
    )
    if draw(st.integers(0, 9)) == 0:
        record = dict(reversed(record.items()))
    if draw(st.integers(0, 9)) == 0:
        record["captureData"]["endpointOutput"]["data"] = draw(
            st.sampled_from([1, None, True, {"data": "1"}, ["1"]])
        )
    if draw(st.integers(0, 9)) == 0:
        del record[draw(st.sampled_from(["captureData", "eventVersion"]))]
    separators = draw(st.sampled_from([(",", ":"), (",", ":"), (", ", ": ")]))
    line = json.dumps(record, ensure_ascii=draw(st.booleans()), separators=separators).encode()
    match draw(st.integers(0, 19)):
        case 0:
            return line[: draw(st.integers(0, len(line)))]
        case 1:
            at = draw(st.integers(0, len(line) - 1))
            byte = draw(st.sampled_from([0x00, 0x0D, 0x22, 0x5C, 0x7D, 0x80, 0xFF, 0x41]))
            return line[:at] + bytes([byte]) + line[at + 1 :]
        case 2:
            return line + b"\r"
    return line


CONNECTION = duckdb.connect(config={"threads": 1, "autoinstall_known_extensions": False, "TimeZone": "UTC"})
CONNECTION.create_function(CSV_COLUMN, _csv_column, ["VARCHAR", "INTEGER"], "VARCHAR")


def read(records: Records, files: list[list[bytes]]) -> list[tuple[Any, ...]]:
    """Return the fields of all records as the join reads them, sorted."""
    return taken(records, files, f"WITH {fields()} SELECT {', '.join(FIELDS)} FROM fields")


def taken(records: Records, files: list[list[bytes]], query: str) -> list[tuple[Any, ...]]:
    """Return what a query finds in the records, sorted."""
    batches = list(records.batches(files))
    CONNECTION.register("records", pa.Table.from_batches(batches, schema=records.schema))
    return sorted(CONNECTION.execute(query).fetchall(), key=repr)


def parsed(lines: list[bytes]) -> list[tuple[Any, ...]]:
    """Return the same, with every line parsed: a line that is alone in its chunk is not read by position."""
    records = Records()
    found = read(records, [[line + b"\n"] for line in lines])
    assert records.placed == 0
    return found


@settings(max_examples=100, deadline=None)
@given(lines=st.lists(written(), max_size=12), cut=st.integers(0, 4000))
def test_lines_are_read_as_a_parser_reads_them(lines, cut):
    content = b"".join(line + b"\n" for line in lines)
    assert read(Records(), [[content[:cut], content[cut:]]]) == parsed(lines)


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=2, max_size=8),
    name=st.booleans(),
    ascii=st.booleans(),
)
def test_lines_of_one_layout_are_read_as_a_parser_reads_them(texts, name, ascii):
    """The same with nothing wrong, where most is read by position."""
    lines = [
        json.dumps(document(*some[:2], id=some[2] if name else None), ensure_ascii=ascii).encode()
        for some in texts
    ]
    assert read(Records(), [[b"\n".join(lines)]]) == parsed(lines)


@settings(max_examples=60, deadline=None)
@given(
    at=st.integers(0, 330),
    byte=st.integers(0, 255).filter(lambda byte: byte != 10),
    row=st.integers(0, 5),
    inserted=st.booleans(),
)
def test_a_byte_that_is_wrong_is_found_wherever_it_is(at, byte, row, inserted):
    lines = [json.dumps(document(id=f"id-{i}" * 4)).encode() for i in range(6)]
    lines[row] = lines[row][:at] + bytes([byte]) + lines[row][at + (not inserted) :]
    assert read(Records(), [[b"\n".join(lines)]]) == parsed(lines)


@pytest.mark.parametrize(
    "make",
    [
        lambda i: document(f"{i},2,3", f"0.{i}", event=f"{i:036}", id=f"id-{i}"),
        lambda i: document(f"{i},2,3", f"0.{i}", event=f"{i:036}", id=None),
        lambda i: document(f'{{"x": {i}}}', f'{{"score": {i}}}', id=f"{i}", encoding="JSON"),
        lambda i: document("MQ==", "MQ==", id=f"{i}", encoding="BASE64"),
        lambda i: document("é", "ü" * i, id=f"{i}"),
        lambda i: document("1", "1," * i, id=f"{i}"),
        lambda i: document("1", "1", id=f"{i}", type="text/csv" if i % 2 else "application/json"),
        lambda i: dict(reversed(document("1" * i, "1", id=f"{i}").items())),
    ],
)
def test_what_machines_write_is_read_by_position(make):
    """All but the two lines that are cut by the end of a chunk."""
    documents = [make(i) for i in range(200)]
    dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    lines = [dump(document).encode() for document in documents]
    content = b"".join(line + b"\n" for line in lines)
    records = Records()
    a, b = len(content) // 3, len(content) // 2
    assert read(records, [[content[:a], content[a:b], content[b:]]]) == parsed(lines)
    assert (records.placed, records.parsed) == (198, 2)


COLUMNS = (0, 1, 3, 40)
CELL = st.one_of(
    st.sampled_from(["", "1.5", " 2 ", "é", "x" * 30]),
    st.sampled_from(["1", "2.25", '"3,4"', "5\n6", "\t", "1,1", "\\"]),
)
ROWS = st.one_of(
    st.lists(CELL, max_size=6), st.lists(st.sampled_from(["1.5", "22.25", "é"]), min_size=30, max_size=60)
).map(",".join)


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(ROWS, min_size=1, max_size=12), encoding=st.sampled_from(["CSV", "CSV", "BASE64"]))
def test_a_cell_is_what_a_reader_of_the_row_would_find(rows, encoding):
    sent = [base64.b64encode(row.encode()).decode() if encoding == "BASE64" else row for row in rows]
    lines = [json.dumps(document(row, encoding=encoding), ensure_ascii=False).encode() for row in sent]
    wanted = {cell(column): raw_segment(Segment(name="s", at=column), "input") for column in COLUMNS}
    found = ", ".join(f"coalesce({name}, {sought})" for name, sought in wanted.items())
    each = f"WITH {fields(*wanted)} SELECT input, {found} FROM fields"
    sought = f"WITH {fields()} SELECT input, {', '.join(wanted.values())} FROM fields"
    assert taken(Records(COLUMNS), [[b"\n".join(lines)]], each) == taken(
        Records(), [[line] for line in lines], sought
    )


def test_cells_are_found_by_position():
    """All but those that no comma ends, and those of lines that are cut by the end of a chunk."""
    rows = [",".join(f"{i * column % 1000}" for column in range(5)) for i in range(200)]
    content = b"".join(json.dumps(document(row, id=row)).encode() + b"\n" for row in rows)
    some = len(content) // 2
    found = taken(
        Records([3, 1, 3, 4]),
        [[content[:some], content[some:]]],
        "SELECT input, cell_1, cell_3, cell_4 FROM records WHERE cell_1 IS NOT NULL",
    )
    cut = [row.split(",") for row in rows]
    assert len(found) == 199
    assert set(found) < {(row, cells[1], cells[3], None) for row, cells in zip(rows, cut, strict=True)}


def test_a_cell_far_off_in_one_input_is_no_burden_to_the_others():
    lines = [document("1," * 20_000)] + [document(f"{i},2,3") for i in range(2000)]
    content = b"\n".join(json.dumps(line).encode() for line in lines)
    assert taken(
        Records([15_000]), [[content]], "SELECT count(*), count(cell_15000) FROM records WHERE line IS NULL"
    ) == [(2000, 0)]


def test_what_has_no_layout_is_parsed():
    lines = [b"nothing", b"", b"{}", b"[1]", b"\r", b"[" * 10_000, b'{"eventMetadata": null}']
    records = Records()
    assert len(read(records, [[b"\n".join(lines)]])) == 5
    assert (records.placed, records.parsed) == (0, 5)


def test_many_layouts_are_no_burden():
    """A machine writes few; of a file in which every line is another, most are parsed."""
    documents = [document(id=f"{i}") | {f"field{i // 2}": "1"} for i in range(60)]
    random.Random(1).shuffle(documents)
    lines = [json.dumps(document).encode() for document in documents]
    records = Records()
    assert read(records, [[b"\n".join(lines)]] * 4) == sorted(parsed(lines) * 4, key=repr)
    assert records.placed < records.parsed


@pytest.mark.parametrize(
    "line",
    [
        b'{"eventMetadata":{"inferenceTime":"2026-03-01T12:00:00Z","inferenceTime":"2026-03-01T12:00:00Z"}}',
        b'{"eventMetadata":{"inferenceTime":"2026-03-01T12:00:00Z","eventId":1}}',
        b'{"eventMetadata":{"inferenceTime":"2026-03-01T12:00:00Z"},"a":"\\\\"}',
        b'{"eventMetadata":{"inferenceTime":"2026-03-01T12:00:00Z"},"a":1e999}',
        b'{"eventMetadata":{"inferenceTime":"2026-03-01T12:00:00Z"},"a":NaN}',
        '{"eventMetadata":{"inferenceTime":"٢٠٢٦-03-01T12:00:00Z"}}'.encode(),
        b'\xef\xbb\xbf{"eventMetadata":{"inferenceTime":"2026-03-01T12:00:00Z"}}',
    ],
)
def test_a_line_that_readers_could_read_differently_gives_no_layout(line):
    assert Layout.of(line) is None
