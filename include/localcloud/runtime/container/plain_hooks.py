"""What the image `penumbra/python` does where a script has no hook: CSV and JSON to plain Python values and back."""

import csv
import io
import json
from typing import Any

from include.localcloud.runtime.container.payload import media_type
from include.localcloud.runtime.container.script import Defaults, UnsupportedTypeError

_CSV, _JSON = "text/csv", "application/json"


def read(data: str | bytes, content_type: str) -> Any:
    """Return JSON's value, or CSV's rows as lists of numbers (of texts where a field is no number)."""
    match media_type(content_type):
        case "application/json":
            return json.loads(data)
        case "text/csv":
            text = data if isinstance(data, str) else data.decode()
            return [[_number(field) for field in row] for row in csv.reader(io.StringIO(text)) if row]
    raise UnsupportedTypeError(
        415,
        f"Content-type {content_type} not supported. Supported are {_CSV} and {_JSON}; or write an input_fn.",
    )


def write(prediction: Any, accept: str) -> tuple[str, str]:
    """Return the prediction as JSON, or as CSV: a value or a list of values on one line, rows on lines."""
    value = prediction.tolist() if hasattr(prediction, "tolist") else prediction
    match media_type(accept):
        case "application/json":
            return json.dumps(value), _JSON
        case "text/csv":
            rows = value if isinstance(value, list | tuple) else [value]
            nested = any(isinstance(row, list | tuple) for row in rows)
            lines = [",".join(map(str, row)) for row in rows] if nested else [",".join(map(str, rows))]
            return "\n".join(lines), f"{_CSV}; charset=utf-8"
    raise UnsupportedTypeError(
        406,
        f"Accept type {accept} is not supported. Supported are {_CSV} and {_JSON}; or write an output_fn.",
    )


def _number(field: str) -> float | str:
    try:
        return float(field)
    except ValueError:
        return field


DEFAULTS = Defaults(
    model_fn=lambda directory: directory,
    input_fn=read,
    predict_fn=None,
    output_fn=write,
    content_type=_CSV,
    accept=_CSV,
)
