"""application/x-recordio-protobuf: rows of numbers as SageMaker's own algorithms exchange them.

Frames as MXNet's RecordIO writes them, each holding one `aialgs.data.Record` (developer guide, "Common data formats for
inference"); the few fields that rows of numbers need are read here, without a protobuf library.
"""

import struct
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

RECORDIO = "application/x-recordio-protobuf"
_MAGIC = 0xCED7230A
_HEAD = struct.Struct("<II")
_LENGTH = (1 << 29) - 1  # the three bits above it say that a record goes on in the next frame
_FEATURES, _LABEL = 1, 2  # of Record: maps from a name to a Value
_NAME, _VALUE = 1, 2  # of an entry of a map
_TENSORS = {2: "<f4", 3: "<f8", 7: "int32"}  # of Value: the field that holds a tensor -> its numbers
_NUMBERS, _KEYS, _SHAPE = 1, 2, 3  # of a tensor


def read_recordio(body: bytes, columns: int) -> npt.NDArray[np.float32]:
    """Return one row per record; of a sparse record, what is not named is missing (NaN).

    Raises ValueError on anything malformed, on rows of unequal length, and on sparse keys beyond `columns`.
    """
    rows = [_row(record, columns) for record in _frames(body)]
    if not rows:
        raise ValueError("there is no record in it")
    if any(len(row) != len(rows[0]) for row in rows):
        raise ValueError(f"the first record has {len(rows[0])} values and another has not; all must be equal")
    return np.vstack(rows)


def write_recordio(scores: list[float]) -> bytes:
    """Return one record per score, held as the float32 label `score`."""
    frames = []
    for score in scores:
        tensor = _field(_NUMBERS, np.float32(score).tobytes())
        entry = _field(_NAME, b"score") + _field(_VALUE, _field(2, tensor))
        record = _field(_LABEL, entry)
        frames.append(_HEAD.pack(_MAGIC, len(record)) + record + b"\0" * (-len(record) % 4))
    return b"".join(frames)


def _frames(body: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(body):
        if at + _HEAD.size > len(body):
            raise ValueError("it ends within the head of a record")
        magic, length = _HEAD.unpack_from(body, at)
        if magic != _MAGIC:
            raise ValueError(f"there is no record at byte {at}")
        if length > _LENGTH:
            raise ValueError("a record is split over several frames; write each in one frame")
        at += _HEAD.size
        if at + length > len(body):
            raise ValueError("it ends within a record")
        yield body[at : at + length]
        at += length + -length % 4


def _row(record: bytes, columns: int) -> npt.NDArray[np.float32]:
    for number, content in _fields(record):
        if number != _FEATURES or not isinstance(content, bytes):
            continue
        entry = dict(_fields(content))
        value = entry.get(_VALUE)
        if entry.get(_NAME) == b"values" and isinstance(value, bytes):
            return _tensor(value, columns)
    raise ValueError("a record has no feature named values")


def _tensor(value: bytes, columns: int) -> npt.NDArray[np.float32]:
    for number, content in _fields(value):
        if number not in _TENSORS or not isinstance(content, bytes):
            continue
        packed: dict[int, list[bytes]] = {_NUMBERS: [], _KEYS: [], _SHAPE: []}
        for part, data in _fields(content):
            if part in packed:
                if not isinstance(data, bytes):
                    raise ValueError("a tensor's numbers are not packed")
                packed[part].append(data)
        numbers = _numbers(b"".join(packed[_NUMBERS]), _TENSORS[number])
        if not packed[_KEYS]:
            return numbers
        keys = list(_varints(b"".join(packed[_KEYS])))
        shape = list(_varints(b"".join(packed[_SHAPE])))
        return _spread(numbers, keys, shape[0] if shape else columns, columns)
    raise ValueError("a record's values are no tensor of numbers")


def _numbers(data: bytes, kind: str) -> npt.NDArray[np.float32]:
    if kind == "int32":
        signed = [number - (1 << 64) if number >> 63 else number for number in _varints(data)]
        return np.asarray(signed, dtype=np.float32)
    if len(data) % np.dtype(kind).itemsize:
        raise ValueError("a tensor ends within a number")
    return np.frombuffer(data, dtype=kind).astype(np.float32)


def _spread(
    numbers: npt.NDArray[np.float32], keys: list[int], width: int, columns: int
) -> npt.NDArray[np.float32]:
    if len(keys) != len(numbers):
        raise ValueError(f"a sparse record has {len(keys)} keys and {len(numbers)} values")
    width = min(width, columns)  # a request must not choose how much memory it takes
    row = np.full(width, np.nan, dtype=np.float32)
    for key, number in zip(keys, numbers.tolist(), strict=True):
        if key >= width:
            raise ValueError(f"feature index {key} is outside the {width} features")
        row[key] = number
    return row


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield a protobuf message's fields as they come: varints as numbers, everything else as bytes."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        match tag & 7:
            case 0:
                number, at = _varint(message, at)
                yield tag >> 3, number
                continue
            case 2:
                length, at = _varint(message, at)
            case 1:
                length = 8
            case 5:
                length = 4
            case kind:
                raise ValueError(f"a record has a field of the unknown kind {kind}")
        if at + length > len(message):
            raise ValueError("a field goes on beyond its record")
        yield tag >> 3, message[at : at + length]
        at += length


def _varints(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        number, at = _varint(data, at)
        yield number


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ValueError("it ends within a number")
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise ValueError("a number in it is longer than ten bytes")


def _field(number: int, content: bytes) -> bytes:
    """Return a length-delimited field; everything written here is shorter than 128 bytes."""
    return bytes((number << 3 | 2, len(content))) + content
