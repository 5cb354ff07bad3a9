"""Request bodies of the XGBoost image as rows of numbers, and predictions as answers."""

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from include.localcloud.runtime.container.answer import CSV_ANSWER, Answer
from include.localcloud.runtime.container.recordio import RECORDIO, read_recordio, write_recordio

CSV = "text/csv"
LIBSVM = frozenset({"text/libsvm", "text/x-libsvm"})
READABLE = frozenset({CSV, *LIBSVM, RECORDIO})
ACCEPTED = frozenset({CSV, "application/json", "application/jsonlines", RECORDIO})
Matrix = npt.NDArray[np.float32]


def media_type(header: str) -> str:
    """Return the media type without parameters, lower-cased."""
    return header.partition(";")[0].strip().lower()


def read(body: bytes, kind: str, columns: int) -> Matrix:
    """Return the body, whose media type is one of READABLE, as rows; raise ValueError when it is not of it."""
    if kind == RECORDIO:
        return read_recordio(body, columns)
    text = body.decode()
    return read_csv(text) if kind == CSV else read_libsvm(text, columns)


def read_csv(text: str) -> Matrix:
    """Return one row per line; an empty field is missing (NaN). Raises ValueError on anything but numbers."""
    rows = [
        [float(field) if field else float("nan") for field in line.split(",")]
        for line in text.strip().split("\n")
    ]
    if any(len(row) != len(rows[0]) for row in rows):
        raise ValueError(
            f"the first row has {len(rows[0])} columns and another row has not; all must be equal"
        )
    return np.asarray(rows, dtype=np.float32)


def read_libsvm(text: str, columns: int) -> Matrix:
    """Return one row per line of `[label] index:value …`; what is not named is missing.

    Indices count from 1 unless some index of the payload is 0, which is how dmlc's reader decides.
    Raises ValueError on malformed items and on indices beyond the model's columns.
    """
    lines = text.strip().split("\n")
    items: list[tuple[int, int, float]] = []
    for row, line in enumerate(lines):
        for item in line.split():
            position, colon, value = item.partition(":")
            if colon:
                items.append((row, int(position), float(value)))
    first = 0 if any(index == 0 for _, index, _ in items) else 1
    matrix = np.full((len(lines), columns), np.nan, dtype=np.float32)
    for at, index, number in items:
        column = index - first
        if not 0 <= column < columns:
            raise ValueError(f"feature index {index} is outside the model's {columns} features")
        matrix[at, column] = number
    return matrix


def render(predictions: npt.NDArray[Any], accept: str) -> Answer:
    """Return the predictions in one of ACCEPTED: comma-joined text/csv, or one score a row or record.

    The layout is the XGBoost container's own (aws/sagemaker-xgboost-container, algorithm_mode/serve.py).
    """
    values = predictions.tolist()
    if accept == "application/json":
        body = json.dumps({"predictions": [{"score": value} for value in values]})
        return Answer(200, body.encode(), "application/json")
    if accept == "application/jsonlines":
        lines = "".join(json.dumps({"score": value}) + "\n" for value in values)
        return Answer(200, lines.encode(), "application/jsonlines")
    if accept == RECORDIO:
        return Answer(200, write_recordio(values), RECORDIO)
    return Answer(200, ",".join(map(str, values)).encode(), CSV_ANSWER)
