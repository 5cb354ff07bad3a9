"""Reading models that XGBoost up to 0.90 pickled, without running what a pickle can make run."""

import io
import pickle
from typing import Any


class _OldBooster:
    """Stands in for xgboost.core.Booster: its state is kept, no code of it runs."""

    handle: bytearray | None = None

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.handle = state.get("handle")


class _HandleReader(pickle.Unpickler):
    """Resolves the four names such a pickle needs, each to something harmless, and refuses every other."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("xgboost.core", "Booster"):
            return _OldBooster
        if (module, name) in {("builtins", "bytearray"), ("__builtin__", "bytearray")}:
            return bytearray
        if (module, name) == ("_codecs", "encode"):
            return lambda text, _encoding="latin1": text.encode("latin1")
        if (module, name) in {("copy_reg", "_reconstructor"), ("copyreg", "_reconstructor")}:
            return lambda _cls, _base, _state: _OldBooster()
        if (module, name) in {("__builtin__", "object"), ("builtins", "object")}:
            return object
        raise pickle.UnpicklingError(
            f"the model's pickle names {module}.{name}; only an XGBoost Booster may be in it"
        )


def looks_pickled(data: bytes) -> bool:
    """Say whether the bytes begin as a pickle of protocol 2 or later does."""
    return len(data) > 2 and data[0] == 0x80 and data[1] <= pickle.HIGHEST_PROTOCOL


def booster_bytes(data: bytes) -> bytearray:
    """Return the raw model held in the pickle's `handle`; raise ValueError when there is none.

    XGBoost 1.x to 3.0 load these bytes and predict bit for bit what 0.90 did; 3.1 no longer reads them.
    """
    try:
        booster = _HandleReader(io.BytesIO(data)).load()
    except Exception as error:  # a hostile or broken pickle may raise anything
        raise ValueError(f"the pickled model cannot be read: {error}") from error
    if not isinstance(booster, _OldBooster) or not isinstance(booster.handle, bytearray):
        raise ValueError(
            "the pickled model holds no Booster; pickle a trained xgboost.Booster, or save_model it"
        )
    return booster.handle
