"""The built-in XGBoost image keeps the container's contract."""

import asyncio
import json
import pickle
import struct
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xgboost

from include.localcloud.runtime.container.archive import unpack
from include.localcloud.runtime.container.payload import CSV
from include.localcloud.runtime.container.recordio import RECORDIO, write_recordio
from include.localcloud.runtime.container.xgboost_model import XgboostModel, load

_COLUMNS = 5
_TRUTH = Path(__file__).parents[4] / "data" / "churn_xgboost_0_90.json"
_REAL = Path(__file__).parents[6] / "shared" / "data" / "churn"


def _delimited(number, content):
    assert len(content) < 128
    return bytes((number << 3 | 2, len(content))) + content


def features(row):
    """A Record whose feature `values` holds the row as a Float32Tensor."""
    tensor = _delimited(1, np.asarray(row, dtype="<f4").tobytes())
    return _delimited(1, _delimited(1, b"values") + _delimited(2, _delimited(2, tensor)))


def frame(record):
    return struct.pack("<II", 0xCED7230A, len(record)) + record + b"\0" * (-len(record) % 4)


@pytest.fixture(scope="module")
def booster():
    random = np.random.default_rng(1)
    rows = random.normal(size=(300, _COLUMNS)).astype(np.float32)
    data = xgboost.DMatrix(rows, label=rows[:, 0] > 0, nthread=1)
    return xgboost.train({"objective": "binary:logistic", "nthread": 1, "seed": 1}, data, 5)


@pytest.fixture(params=["json", "ubj", "deprecated"])
def folder(booster, request, tmp_path):
    (tmp_path / "xgboost-model").write_bytes(booster.save_raw(request.param))
    return tmp_path


def _row(values):
    return ",".join(map(str, values)).encode()


@pytest.mark.filterwarnings("ignore:.*deprecated binary model format")
def test_every_saved_form_predicts_what_the_booster_does(folder, booster):
    rows = np.random.default_rng(2).normal(size=(7, _COLUMNS)).astype(np.float32)
    answer = XgboostModel.from_directory(folder, {}).invoke(
        b"\n".join(map(_row, rows.tolist())), "text/csv", ""
    )
    expected = booster.predict(xgboost.DMatrix(rows, nthread=1)).tolist()
    assert answer.status == 200
    assert [float(text) for text in answer.body.split(b",")] == expected


@pytest.mark.parametrize(
    ("body", "content_type", "accept", "status", "said"),
    [
        (b"", "text/csv", "", 204, b""),
        (b"1,2,3,4,5", "", "", 200, b"0."),
        (b"1:1 5:2", "text/x-libsvm", "*/*", 200, b"0."),
        (b"1,2,3,4,5", "text/csv; charset=utf-8", "application/json", 200, b'{"predictions"'),
        (b"1,2,3,4,5", "image/png", "", 415, b"Content-type image/png not supported"),
        (b"a,b", "text/csv", "", 415, b"Loading text/csv data failed"),
        (b"\xff\xfe", "text/csv", "", 415, b"Loading text/csv data failed"),
        (b"1,2,3,4,5", "text/csv", "image/png", 406, b"Accept type image/png is not supported"),
        (b"1,2,3", "text/csv", "", 400, b"Unable to evaluate payload provided: Feature size"),
    ],
)
def test_statuses_are_the_containers(booster, body, content_type, accept, status, said):
    answer = XgboostModel(booster).invoke(body, content_type, accept)
    assert answer.status == status
    assert answer.body.startswith(said)


def test_a_linear_booster_is_served_too():
    rows = np.random.default_rng(3).normal(size=(50, 2)).astype(np.float32)
    data = xgboost.DMatrix(rows, label=rows[:, 0], nthread=1)
    booster = xgboost.train({"booster": "gblinear", "nthread": 1}, data, 3)
    answer = XgboostModel(booster).invoke(_row(rows[0].tolist()), "text/csv", "")
    assert float(answer.body) == pytest.approx(float(booster.predict(data)[0]))


def test_what_is_no_model_is_named(tmp_path):
    with pytest.raises(ValueError, match="no file in its root"):
        XgboostModel.from_directory(tmp_path, {})
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ValueError, match=r"notes\.txt of the model archive is no XGBoost model"):
        XgboostModel.from_directory(tmp_path, {})


def _old_pickle():
    """A pickle as XGBoost 0.90 wrote it: a Booster with its handle's bytes, here of no model."""
    return pickle.dumps({"handle": bytearray(b"binf")}, protocol=2)


def test_a_new_image_comes_up_with_an_old_pickle_and_fails_at_every_invocation(tmp_path):
    (tmp_path / "xgboost-model").write_bytes(_old_pickle())
    model = load(tmp_path, {}, old_pickles=False)
    for _ in range(2):
        answer = model.invoke(b"1,2", "text/csv", "")
        assert answer.status == 500
        assert answer.body.startswith(
            b"Unable to load model: xgboost-model is a pickle of an XGBoost before 1.0"
        )
    assert model.invoke(b"", "text/csv", "").status == 204
    with pytest.raises(ValueError, match="no XGBoost model"):  # this one holds none
        load(tmp_path, {}, old_pickles=True)


def test_what_is_no_model_fails_a_new_image_at_once(tmp_path):
    (tmp_path / "xgboost-model").write_text("hello")
    with pytest.raises(ValueError, match="no XGBoost model"):
        load(tmp_path, {}, old_pickles=False)


def test_recordio_in_and_out_predict_what_csv_does(booster):
    model = XgboostModel(booster)
    rows = np.random.default_rng(4).normal(size=(3, _COLUMNS)).astype(np.float32)
    expected = [
        float(text) for text in model.invoke(b"\n".join(map(_row, rows.tolist())), CSV, "").body.split(b",")
    ]
    body = b"".join(frame(features(row)) for row in rows)
    answer = model.invoke(body, RECORDIO, "application/json")
    assert [each["score"] for each in json.loads(answer.body)["predictions"]] == expected
    answer = model.invoke(body, RECORDIO, RECORDIO)
    assert answer.content_type == RECORDIO
    assert answer.body == write_recordio(expected)
    assert model.invoke(b"no frame", RECORDIO, "").status == 415


@pytest.mark.skipif(not _REAL.exists(), reason="the public churn models are not on this machine")
@pytest.mark.parametrize(
    "archive", ["xgb-churn-prediction-model.tar.gz", "xgb-churn-prediction-model2.tar.gz"]
)
@pytest.mark.filterwarnings("ignore:.*Loading model from XGBoost < 1.0.0")
def test_models_pickled_by_0_90_answer_bit_for_bit_what_0_90_answered(archive, tmp_path):
    """`tests/data/churn_xgboost_0_90.json` says how 0.90's own answers were recorded."""
    expected = json.loads(_TRUTH.read_text())["predictions"][archive]
    unpack(_REAL / archive, tmp_path)
    model = load(tmp_path, {}, old_pickles=True)
    rows = (_REAL / "test-dataset-input-cols.csv").read_bytes().split()
    single = [model.invoke(row, CSV, "").body for row in rows]
    assert len(rows) == 334
    assert [float(answer).hex() for answer in single] == expected
    together = model.invoke(b"\n".join(rows), CSV, "").body.split(b",")
    assert [float(answer).hex() for answer in together] == expected


@pytest.mark.skipif(not _REAL.exists(), reason="the public churn models are not on this machine")
def test_the_tag_decides_whether_an_instance_reads_a_pickle_of_0_90(play):
    archive = "xgb-churn-prediction-model.tar.gz"
    body = (_REAL / "test-dataset-input-cols.csv").read_bytes().splitlines()[0]

    async def scenario(world):
        answers = []
        for tag in ("0.90-2-cpu-py3", "1.7-1"):
            image = f"683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:{tag}"
            await world.serve(replace(world.light(), image=image, model_data=_REAL / archive))
            answers.append(await world.invoke(body))
        return answers

    old, new = play(scenario)
    assert float(old.body).hex() == json.loads(_TRUTH.read_text())["predictions"][archive][0]
    assert new.status == 424
    said = json.loads(new.body)
    assert said["OriginalStatusCode"] == 500
    assert said["OriginalMessage"].startswith("Unable to load model")


def test_a_real_instance_serves_an_archive(play, booster, tmp_path):
    (tmp_path / "xgboost-model").write_bytes(booster.save_raw("ubj"))
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "xgboost-model", "xgboost-model")

    async def scenario(world):
        image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.0-5"
        plan = replace(
            world.light(LOCAL_SERVICE_TIME_MEDIAN_MS=3), image=image, model_data=tmp_path / "model.tar.gz"
        )
        await world.serve(plan)
        answers = await asyncio.gather(
            *(world.invoke(b"1,2,3,4,5", accept="application/json") for _ in range(20))
        )
        world.clock.time += 60
        (latency,) = world.metric("ModelLatency", "live").values()
        return answers, latency

    answers, latency = play(scenario)
    assert {answer.status for answer in answers} == {200}
    assert len(json.loads(answers[0].body)["predictions"]) == 1
    assert latency.count == 20
    assert latency.low > 1000  # microseconds: the waiting is part of it


def test_trees_after_the_best_of_a_training_that_stopped_early_do_not_count(tmp_path):
    random = np.random.default_rng(3)
    rows, labels = random.normal(size=(200, _COLUMNS)).astype(np.float32), random.integers(0, 2, 200)
    train = xgboost.DMatrix(rows[:100], label=labels[:100], nthread=1)
    held_out = xgboost.DMatrix(rows[100:], label=labels[100:], nthread=1)
    booster = xgboost.train(
        {"objective": "binary:logistic", "nthread": 1, "seed": 1},
        train,
        40,
        evals=[(held_out, "validation")],
        early_stopping_rounds=5,
        verbose_eval=False,
    )
    last = booster.best_iteration + 1
    assert last < booster.num_boosted_rounds()
    (tmp_path / "xgboost-model").write_bytes(booster.save_raw("json"))
    body = b"\n".join(map(_row, rows[:5].tolist()))
    answer = load(tmp_path, {}).invoke(body, "text/csv", "")
    expected = booster.predict(xgboost.DMatrix(rows[:5], nthread=1), iteration_range=(0, last)).tolist()
    assert [float(text) for text in answer.body.split(b",")] == expected


def test_an_output_other_than_scores_is_refused_when_the_model_is_loaded(folder):
    with pytest.raises(ValueError, match=r"SAGEMAKER_INFERENCE_OUTPUT is 'predicted_label'.* leave it out"):
        load(folder, {"SAGEMAKER_INFERENCE_OUTPUT": "predicted_label"})
