"""Pickles of XGBoost 0.90 are read without running anything."""

import os
import pickle

import pytest

from include.localcloud.runtime.container.old_pickle import booster_bytes, looks_pickled


class Evil:
    def __reduce__(self):
        return (os.system, ("touch /tmp/never",))


def _old_pickle(state):
    """Pickle what looks like xgboost.core.Booster with the given state, without XGBoost."""
    parts = [b"\x80\x02cxgboost.core\nBooster\n)\x81", pickle.dumps(state, protocol=2)[2:-1], b"b."]
    return b"".join(parts)


def test_the_handle_of_the_booster_is_taken_out():
    data = _old_pickle({"handle": bytearray(b"model bytes \xff"), "feature_names": ["a"]})
    assert looks_pickled(data)
    assert booster_bytes(data) == b"model bytes \xff"


@pytest.mark.parametrize(
    "data", [pickle.dumps(Evil()), _old_pickle({"handle": Evil()})], ids=["alone", "inside"]
)
def test_a_pickle_that_names_anything_else_is_refused(data):
    with pytest.raises(ValueError, match="only an XGBoost Booster may be in it"):
        booster_bytes(data)


@pytest.mark.parametrize("data", [pickle.dumps([1]), _old_pickle({"handle": None}), b"\x80\x02cut off"])
def test_a_pickle_without_a_booster_is_refused(data):
    with pytest.raises(ValueError, match="pickled model"):
        booster_bytes(data)


def test_json_ubjson_and_binary_models_are_no_pickles():
    assert not any(looks_pickled(data) for data in (b'{"learner"', b"{L\x00", b"binf", b""))
