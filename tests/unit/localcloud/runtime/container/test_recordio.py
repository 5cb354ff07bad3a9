"""Records are read as SageMaker's own algorithms write them, and nothing malformed passes."""

import math
import struct

import numpy as np
import pytest

from include.localcloud.runtime.container.recordio import read_recordio, write_recordio


def field(number, content):
    return bytes((number << 3 | 2, len(content))) + content


def frame(record):
    return struct.pack("<II", 0xCED7230A, len(record)) + record + b"\0" * (-len(record) % 4)


def row(tensor, kind=2):
    return frame(field(1, field(1, b"values") + field(2, field(kind, tensor))))


def floats(*values, kind="<f4"):
    return np.asarray(values, dtype=kind).tobytes()


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (row(field(1, floats(1.5, -2))) + row(field(1, floats(0, 4))), [[1.5, -2], [0, 4]]),
        (row(field(1, floats(1.5, -2, kind="<f8")), kind=3), [[1.5, -2]]),
        (row(field(1, b"\x07" + b"\xfe" + b"\xff" * 8 + b"\x01"), kind=7), [[7, -2]]),
        (row(field(1, floats(9)) + field(2, b"\x01") + field(3, b"\x03")), [[math.nan, 9, math.nan]]),
        (row(field(1, floats(9)) + field(2, b"\x01")), [[math.nan, 9, math.nan, math.nan]]),
    ],
    ids=["float32", "float64", "int32", "sparse with a shape", "sparse without"],
)
def test_rows_are_the_tensors_of_the_feature_values(body, rows):
    assert np.array_equal(read_recordio(body, 4), np.asarray(rows, dtype=np.float32), equal_nan=True)


GOOD = row(field(1, floats(1.0)))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no record in it"),
        (b"1,2,3,4,5", "no record at byte 0"),
        (GOOD[:6], "within the head"),
        (GOOD[:-4], "within a record"),
        (GOOD + row(field(1, floats(1, 2))), "all must be equal"),
        (struct.pack("<II", 0xCED7230A, 1 << 29 | 4) + b"....", "split over several frames"),
        (frame(field(2, b"")), "no feature named values"),
        (frame(b"\x0a\x7f"), "beyond its record"),
        (frame(b"\x0f"), "unknown kind 7"),
        (frame(b"\x08" + b"\xff" * 11), "longer than ten bytes"),
        (row(field(1, b"\0\0\0")), "within a number"),
        (row(field(1, floats(1)) + field(2, b"\x00\x01")), "2 keys and 1 values"),
        (row(field(1, floats(1)) + field(2, b"\x09")), "index 9 is outside the 4"),
        (row(field(1, floats(1)) + b"\x10\x01"), "not packed"),
        (row(b"", kind=9), "no tensor of numbers"),
    ],
)
def test_what_is_malformed_is_refused_and_named(body, said):
    with pytest.raises(ValueError, match=said):
        read_recordio(body, 4)


def test_a_huge_declared_width_takes_no_memory():
    shape = b"\xff\xff\xff\xff\x7f"
    assert read_recordio(row(field(1, floats(1)) + field(2, b"\x00") + field(3, shape)), 4).shape == (1, 4)


def test_scores_are_labels_of_one_record_each():
    body = write_recordio([0.5, 0.25])
    assert body[8:].startswith(field(2, field(1, b"score") + field(2, field(2, field(1, floats(0.5))))))
    assert body.count(struct.pack("<I", 0xCED7230A)) == 2
    assert len(body) % 4 == 0
