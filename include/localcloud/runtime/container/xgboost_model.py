"""The built-in XGBoost image: a saved Booster behind the container's content types and status codes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xgboost

from include.localcloud.runtime.container.answer import Answer
from include.localcloud.runtime.container.archive import model_files
from include.localcloud.runtime.container.old_pickle import booster_bytes, looks_pickled
from include.localcloud.runtime.container.payload import (
    CSV,
    LIBSVM,
    media_type,
    read_csv,
    read_libsvm,
    render,
)

_ACCEPTED = frozenset({"text/csv", "application/json", "application/jsonlines"})


class XgboostModel:
    """One Booster on one thread."""

    def __init__(self, booster: Any, default_accept: str = CSV) -> None:
        booster.set_param({"nthread": 1})
        self._booster = booster
        self._columns: int = booster.num_features()
        self._default_accept = default_accept
        learner = json.loads(booster.save_config())["learner"]
        self._linear = learner["gradient_booster"]["name"] == "gblinear"

    @classmethod
    def from_directory(cls, directory: Path, environment: Mapping[str, str]) -> "XgboostModel":
        """Load the first plain file of the archive's root: binary, JSON or UBJSON, or a pickle of 0.90.

        Raises ValueError naming the file that is no model. No pickle runs code (`old_pickle`).
        """
        files = model_files(directory)
        if not files:
            raise ValueError("the model archive has no file in its root; put `xgboost-model` there")
        data = files[0].read_bytes()
        booster = xgboost.Booster()
        try:
            booster.load_model(booster_bytes(data) if looks_pickled(data) else bytearray(data))
        except (ValueError, xgboost.core.XGBoostError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"{files[0].name} of the model archive is no XGBoost model: {reason}") from error
        return cls(booster, environment.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or CSV)

    def invoke(self, body: bytes, content_type: str, accept: str) -> Answer:
        """Answer as the container does: 204 empty body, 415 unreadable, 406 accept, 400 not evaluable."""
        if not body:
            return Answer(204)
        kind = media_type(content_type) or CSV
        if kind != CSV and kind not in LIBSVM:
            return Answer(
                415,
                f"Content-type {kind} not supported. Supported content-type is text/csv, text/libsvm".encode(),
            )
        wanted = media_type(accept)
        wanted = self._default_accept if wanted in {"", "*/*"} else wanted
        if wanted not in _ACCEPTED:
            allowed = ", ".join(sorted(_ACCEPTED))
            return Answer(
                406, f"Accept type {wanted} is not supported. Please use one of: {allowed}.".encode()
            )
        try:
            text = body.decode()
            rows = read_csv(text) if kind == CSV else read_libsvm(text, self._columns)
        except ValueError as error:
            return Answer(
                415, f"Loading {kind} data failed, please ensure that it is {kind}: {error}".encode()
            )
        if rows.shape[1] != self._columns:
            found = (
                f"Feature size of {kind} inference data {rows.shape[1]} is not consistent with feature size"
            )
            return Answer(
                400,
                f"Unable to evaluate payload provided: {found} of trained model {self._columns}.".encode(),
            )
        return render(self._predict(rows), wanted)

    def _predict(self, rows: Any) -> Any:
        if self._linear:  # inplace_predict knows trees only
            return self._booster.predict(xgboost.DMatrix(rows, nthread=1), validate_features=False)
        return self._booster.inplace_predict(rows, validate_features=False)
