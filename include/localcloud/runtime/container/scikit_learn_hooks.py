"""What the scikit-learn image does where a script has no hook: an array in, what the model's `predict` says out.

Source: aws/sagemaker-scikit-learn-container, serving.py (model_fn is required), and the encoders of its toolkit. There
is no model_fn here either: a model of scikit-learn is a pickle, and only the script's author may decide to load one.
"""

import csv
import io
import json
from typing import Any

import numpy as np

from include.localcloud.runtime.container.payload import CSV, media_type
from include.localcloud.runtime.container.script import Defaults, UnsupportedTypeError

_JSON, _NPY = "application/json", "application/x-npy"
_TYPES = f"{CSV}, {_JSON} and {_NPY}"


def read(data: str | bytes, content_type: str) -> Any:
    """Return the array: float32 from CSV and JSON, of its own type from NPY.

    A single CSV row, or a single column, has one dimension, as in the container; scikit-learn's models then say
    that they want two, and whoever sends such rows writes an input_fn. No pickled objects are read from NPY.
    """
    match media_type(content_type):
        case "text/csv":
            rows = list(csv.reader(io.StringIO(_text(data)), strict=True))
            return np.array(rows).squeeze().astype(np.float32)
        case "application/json":
            return np.array(json.loads(data)).astype(np.float32)
        case "application/x-npy":
            assert isinstance(data, bytes)
            return np.load(io.BytesIO(data), allow_pickle=False)
    raise UnsupportedTypeError(
        415, f"Content-type {content_type} not supported. Supported are {_TYPES}; or write an input_fn."
    )


def predict(array: Any, model: Any) -> Any:
    """Return what the model predicts."""
    return model.predict(array)


def write(prediction: Any, accept: str) -> tuple[str | bytes, str]:
    """Return the prediction in the accepted type; in CSV, one of one dimension is a column."""
    array = np.asarray(prediction)
    wanted = media_type(accept)
    match wanted:
        case "text/csv":
            written = io.StringIO()
            rows = array.reshape(-1, 1) if array.ndim < 2 else array
            csv.writer(written, lineterminator="\n").writerows(rows)
            return written.getvalue(), wanted
        case "application/json":
            return json.dumps(array.tolist()), wanted
        case "application/x-npy":
            packed = io.BytesIO()
            np.save(packed, array, allow_pickle=False)
            return packed.getvalue(), wanted
    raise UnsupportedTypeError(
        406, f"Accept type {accept} is not supported. Supported are {_TYPES}; or write an output_fn."
    )


def _text(data: str | bytes) -> str:
    return data if isinstance(data, str) else data.decode()


DEFAULTS = Defaults(
    model_fn=None,
    input_fn=read,
    predict_fn=predict,
    output_fn=write,
    content_type=_JSON,
    accept=_JSON,
)
