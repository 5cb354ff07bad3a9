"""The built-in XGBoost image: a saved Booster behind the container's content types and status codes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xgboost

from include.localcloud.runtime.container.answer import Answer, Program
from include.localcloud.runtime.container.archive import model_files
from include.localcloud.runtime.container.old_pickle import booster_bytes, looks_pickled
from include.localcloud.runtime.container.payload import (
    ACCEPTED,
    CSV,
    READABLE,
    media_type,
    read,
    render,
)

# Which columns the container is to answer, such as predicted_label.
_SELECTED_OUTPUT = "SAGEMAKER_INFERENCE_OUTPUT"


class Unloadable:
    """A model that its container cannot load, and says so only when it is invoked: 500 for every request."""

    def __init__(self, reason: str) -> None:
        self._answer = Answer(500, f"Unable to load model: {reason}".encode())

    def invoke(self, body: bytes, content_type: str, accept: str) -> Answer:
        """Answer 500, or 204 to an empty body."""
        return self._answer if body else Answer(204)


def load(directory: Path, environment: Mapping[str, str], *, old_pickles: bool = True) -> Program:
    """Return the model of an unpacked archive, as a container that knows `old_pickles` or does not.

    The containers since XGBoost 1.0 do not read a Booster that 0.90 or an earlier one pickled, and it is the
    first invocation that finds out: the endpoint comes up and answers 500. Raises ValueError for what is no
    model at all, and for an answer other than scores.
    """
    if output := environment.get(_SELECTED_OUTPUT):
        raise ValueError(
            f"{_SELECTED_OUTPUT} is {output!r}, and the local XGBoost image answers scores alone; leave it out"
        )
    file = _model_file(directory)
    if not old_pickles and looks_pickled(file.read_bytes()):
        return Unloadable(
            f"{file.name} is a pickle of an XGBoost before 1.0, which this image cannot read "
            "(Check failed: header == serialisation_header_); save_model it, or use an image tagged 0.90-2"
        )
    return XgboostModel.from_directory(directory, environment)


def _model_file(directory: Path) -> Path:
    files = model_files(directory)
    if not files:
        raise ValueError("the model archive has no file in its root; put `xgboost-model` there")
    return files[0]


class XgboostModel:
    """One Booster on one thread."""

    def __init__(self, booster: Any, default_accept: str = CSV) -> None:
        booster.set_param({"nthread": 1})
        self._booster = booster
        self._columns: int = booster.num_features()
        self._default_accept = default_accept
        learner = json.loads(booster.save_config())["learner"]
        self._linear = learner["gradient_booster"]["name"] == "gblinear"
        # Of training that stopped early; the trees after it do not count.
        best = booster.attr("best_iteration")
        self._iterations = (0, 0) if best is None or self._linear else (0, int(best) + 1)

    @classmethod
    def from_directory(cls, directory: Path, environment: Mapping[str, str]) -> "XgboostModel":
        """Load the first plain file of the archive's root: binary, JSON or UBJSON, or a pickle of 0.90.

        Raises ValueError naming the file that is no model. No pickle runs code (`old_pickle`).
        """
        file = _model_file(directory)
        data = file.read_bytes()
        booster = xgboost.Booster()
        try:
            booster.load_model(booster_bytes(data) if looks_pickled(data) else bytearray(data))
        except (ValueError, xgboost.core.XGBoostError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"{file.name} of the model archive is no XGBoost model: {reason}") from error
        return cls(booster, environment.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or CSV)

    def invoke(self, body: bytes, content_type: str, accept: str) -> Answer:
        """Answer as the container does: 204 empty body, 415 unreadable, 406 accept, 400 not evaluable."""
        if not body:
            return Answer(204)
        kind = media_type(content_type) or CSV
        if kind not in READABLE:
            known = ", ".join(sorted(READABLE))
            return Answer(
                415, f"Content-type {kind} not supported. Supported content-type is {known}".encode()
            )
        wanted = media_type(accept)
        wanted = self._default_accept if wanted in {"", "*/*"} else wanted
        if wanted not in ACCEPTED:
            allowed = ", ".join(sorted(ACCEPTED))
            return Answer(
                406, f"Accept type {wanted} is not supported. Please use one of: {allowed}.".encode()
            )
        try:
            rows = read(body, kind, self._columns)
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
        return self._booster.inplace_predict(rows, iteration_range=self._iterations, validate_features=False)
