"""What the XGBoost image does where a script has no hook: a DMatrix in, predictions of a Booster out.

Source: aws/sagemaker-xgboost-container, serving.py (model_fn is required; the others default to decoder,
`predict(validate_features=False)` and encoder).
"""

from typing import Any

import xgboost

from include.localcloud.runtime.container.payload import (
    ACCEPTED,
    CSV,
    LIBSVM,
    READABLE,
    media_type,
    read,
    render,
)
from include.localcloud.runtime.container.script import Defaults, UnsupportedTypeError

_MOST_COLUMNS = 100_000  # of a sparse row: what a request may make us hold


def read_matrix(data: str | bytes, content_type: str) -> Any:
    """Return a DMatrix; sparse rows are as wide as their highest index says."""
    kind = media_type(content_type)
    body = data.encode() if isinstance(data, str) else data
    if kind not in READABLE:
        known = ", ".join(sorted(READABLE))
        raise UnsupportedTypeError(
            415, f"Content-type {kind} not supported. Supported content-type is {known}"
        )
    try:
        columns = _width(body.decode()) if kind in LIBSVM else _MOST_COLUMNS
        return xgboost.DMatrix(read(body, kind, columns), nthread=1)
    except ValueError as error:
        raise UnsupportedTypeError(
            415, f"Loading {kind} data failed, please ensure that it is {kind}: {error}"
        ) from error


def _width(text: str) -> int:
    indices = [int(item.partition(":")[0]) for item in text.split() if ":" in item]
    width = max(indices, default=0) + (1 if 0 in indices else 0)
    if width > _MOST_COLUMNS:
        raise ValueError(f"feature index {max(indices)} is beyond the {_MOST_COLUMNS} that are read")
    return width


def predict(matrix: Any, booster: Any) -> Any:
    """Return the Booster's predictions of a DMatrix."""
    return booster.predict(matrix, validate_features=False)


def write(predictions: Any, accept: str) -> tuple[bytes, str]:
    """Return the predictions in the accepted type."""
    wanted = media_type(accept)
    if wanted not in ACCEPTED:
        allowed = ", ".join(sorted(ACCEPTED))
        raise UnsupportedTypeError(
            406, f"Accept type {wanted} is not supported. Please use one of: {allowed}."
        )
    answer = render(predictions, wanted)
    return answer.body, answer.content_type


DEFAULTS = Defaults(
    model_fn=None,
    input_fn=read_matrix,
    predict_fn=predict,
    output_fn=write,
    content_type=CSV,
    accept=CSV,
)
