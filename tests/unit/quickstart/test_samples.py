import hashlib
import tarfile

import numpy as np
import pytest
import xgboost

from quickstart import churn, samples


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return samples.prepare(tmp_path_factory.mktemp("samples"))


def load(archive):
    with tarfile.open(archive) as tar:
        assert tar.getnames() == ["xgboost-model"]
        content = tar.extractfile("xgboost-model").read()
    booster = xgboost.Booster()
    booster.load_model(bytearray(content))
    return booster


def loss(booster, rows):
    predicted = booster.inplace_predict(rows.features)
    return float(-np.mean(np.log(np.where(rows.left == 1, predicted, 1 - predicted))))


def test_the_newer_model_is_better_on_unseen_customers_and_the_different_one_disagrees(made):
    unseen = churn.customers(5_000, seed=99)
    baseline, newer, different = (load(file) for file in (made.baseline, made.newer, made.different))
    share = unseen.left.mean()
    ignorant = -(share * np.log(share) + (1 - share) * np.log(1 - share))
    assert loss(newer, unseen) < loss(baseline, unseen) < ignorant
    agreement = np.corrcoef(
        newer.inplace_predict(unseen.features), different.inplace_predict(unseen.features)
    )
    assert agreement[0, 1] < 0


def test_the_requests_to_replay_are_rows_that_the_models_take(made):
    lines = made.replay.read_text().splitlines()
    assert len(lines) == samples.REPLAY_ROWS
    rows = np.loadtxt(lines[:10], delimiter=",")
    assert (
        (load(made.baseline).inplace_predict(rows) > 0) & (load(made.baseline).inplace_predict(rows) < 1)
    ).all()


def test_samples_made_again_elsewhere_are_the_same_bytes(made, tmp_path):
    again = samples.prepare(tmp_path)
    for name in ("baseline", "newer", "different", "replay"):
        ours, theirs = (
            hashlib.sha256(getattr(each, name).read_bytes()).hexdigest() for each in (made, again)
        )
        assert ours == theirs, name


def test_samples_that_are_there_are_not_made_again(made, monkeypatch):
    monkeypatch.setattr(samples, "train", None)
    assert samples.prepare(made.folder.parent) == made


def test_an_interrupted_making_leaves_no_half_made_samples(tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(samples, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        samples.prepare(tmp_path)
    assert list(tmp_path.iterdir()) == []
