"""Script mode: a user's own model_fn, input_fn, predict_fn, output_fn or transform_fn behind the container contract.

A script runs its author's code with the rights of the local cloud; nothing here confines it.
"""

import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from include.localcloud.runtime.container.answer import Answer
from include.localcloud.runtime.container.payload import media_type

_DEFAULT_SCRIPT = "inference.py"
_CONTAINER_CODE = ("/opt/ml/model/code", "/opt/ml/code")  # where a container has the scripts of its archive
_TEXTS = frozenset({"text/csv", "application/json"})  # given to a script as str, as SageMaker's toolkits do
Hook = Callable[..., Any]


class UnsupportedTypeError(Exception):
    """A default hook cannot read or write this media type; `status` is 415 or 406."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """An image's own hooks, used where the script has none; None is a hook that the script must have."""

    model_fn: Hook | None
    input_fn: Hook
    predict_fn: Hook | None
    output_fn: Hook
    content_type: str
    accept: str


def find_script(model: Path, source: Path | None, environment: Mapping[str, str]) -> Path | None:
    """Return the script that serves, or None when neither the environment nor the archive names one.

    SAGEMAKER_PROGRAM names it, within an unpacked `source` (from SAGEMAKER_SUBMIT_DIRECTORY on S3) or else within the
    folder `code` of the model archive; `code/inference.py` serves unnamed. LOCAL_SCRIPT is the absolute path of a
    file of this machine and comes first. Raises ValueError for a script that is named and not there.
    """
    local = environment.get("LOCAL_SCRIPT", "")
    if local:
        if not Path(local).is_absolute() or not Path(local).is_file():
            raise ValueError(f"LOCAL_SCRIPT is {local!r}; it must be the absolute path of a Python file")
        return Path(local)
    folder = source or _code_folder(model, environment.get("SAGEMAKER_SUBMIT_DIRECTORY", ""))
    program = environment.get("SAGEMAKER_PROGRAM", "")
    if not program:
        script = folder / _DEFAULT_SCRIPT
        return script if script.is_file() else None
    script = folder / program
    if not script.resolve().is_relative_to(folder.resolve()) or not script.is_file():
        raise ValueError(
            f"SAGEMAKER_PROGRAM is {program!r}, and there is no such file in "
            f"{'SAGEMAKER_SUBMIT_DIRECTORY' if source else 'the folder code of the model archive'}; put it there"
        )
    return script


def _code_folder(model: Path, submitted: str) -> Path:
    for place in ("", *_CONTAINER_CODE):
        if submitted.rstrip("/") == place:
            return model / "code"
    raise ValueError(
        f"SAGEMAKER_SUBMIT_DIRECTORY is {submitted!r}; allowed are an s3:// URL of a tar.gz and "
        f"{_CONTAINER_CODE[0]}, the folder code of the model archive"
    )


class Script:
    """One script's hooks around one loaded model; an exception of the script is the instance's 500."""

    def __init__(self, script: Path, model: Path, defaults: Defaults, environment: Mapping[str, str]) -> None:
        """Import the script and load the model with it; raise ValueError for missing or conflicting hooks."""
        module = _imported(script)
        hooks = {name: _hook(module, name) for name in ("model_fn", "input_fn", "predict_fn", "output_fn")}
        self._transform = _hook(module, "transform_fn")
        taken = [name for name in ("input_fn", "predict_fn", "output_fn") if hooks[name]]
        if self._transform and taken:
            raise ValueError(
                f"{script.name} has transform_fn beside {' and '.join(taken)}; it may have it or those, not both"
            )
        self._input = hooks["input_fn"] or defaults.input_fn
        self._output = hooks["output_fn"] or defaults.output_fn
        self._predict = self._required(script, "predict_fn", hooks["predict_fn"] or defaults.predict_fn)
        load = self._required(script, "model_fn", hooks["model_fn"] or defaults.model_fn)
        self._content_type = defaults.content_type
        self._accept = environment.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or defaults.accept
        self._model = load(str(model))

    def invoke(self, body: bytes, content_type: str, accept: str) -> Answer:
        """Answer what the hooks return: str or bytes, alone or with its content type."""
        kind = content_type or self._content_type
        wanted = self._accept if media_type(accept) in {"", "*/*"} else accept
        try:
            data = body.decode() if media_type(kind) in _TEXTS else body
            if self._transform is not None:
                result = self._transform(self._model, data, kind, wanted)
            else:
                assert self._predict is not None
                result = self._output(self._predict(self._input(data, kind), self._model), wanted)
        except UnsupportedTypeError as error:
            return Answer(error.status, str(error).encode())
        return _answer(result, wanted)

    def _required(self, script: Path, name: str, hook: Hook | None) -> Hook:
        if hook is not None:
            return hook
        if name == "predict_fn" and self._transform is not None:
            return self._transform
        raise ValueError(f"{script.name} has no {name}; this image needs it, see its script mode")


def _imported(script: Path) -> ModuleType:
    sys.path.insert(0, str(script.parent))
    name = script.stem.replace("-", "_")
    spec = importlib.util.spec_from_file_location(name, script)
    if spec is None or spec.loader is None:
        raise ValueError(f"{script.name} is no Python file; a script's name ends with .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # what it defines can be pickled and looked up, as if it had been imported
    spec.loader.exec_module(module)
    return module


def _hook(module: ModuleType, name: str) -> Hook | None:
    hook = getattr(module, name, None)
    if hook is not None and not callable(hook):
        raise ValueError(f"{name} of the script is {type(hook).__name__}; it must be a function")
    if hook is not None and inspect.iscoroutinefunction(hook):
        raise ValueError(f"{name} of the script is a coroutine function; it must be a plain one")
    return hook


def _answer(result: Any, accept: str) -> Answer:
    content_type = accept
    if isinstance(result, tuple) and len(result) == 2:
        result, content_type = result
    if isinstance(result, bytes | bytearray):
        return Answer(200, bytes(result), str(content_type))
    if isinstance(result, str):
        return Answer(200, result.encode(), str(content_type))
    return Answer(
        500, f"the script's output is {type(result).__name__}; output_fn must return str or bytes".encode()
    )
