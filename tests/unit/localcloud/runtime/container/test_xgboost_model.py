"""The built-in XGBoost image keeps the container's contract."""

import asyncio
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import xgboost

from include.localcloud.runtime.container.xgboost_model import XgboostModel

_COLUMNS = 5
_REAL = Path(__file__).parents[6] / "shared" / "data" / "churn"


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


@pytest.mark.skipif(not _REAL.exists(), reason="the public churn models are not on this machine")
@pytest.mark.parametrize(
    ("archive", "first"),
    [
        ("xgb-churn-prediction-model.tar.gz", b"0.01584203727543354"),
        ("xgb-churn-prediction-model2.tar.gz", b"0.023223411291837692"),
    ],
)
def test_models_pickled_by_0_90_answer_what_0_90_answered(play, archive, first):
    from dataclasses import replace

    body = (_REAL / "test-dataset-input-cols.csv").read_bytes().splitlines()[0]

    async def scenario(world):
        image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:0.90-1-cpu-py3"
        await world.serve(replace(world.light(), image=image, model_data=_REAL / archive))
        return await world.invoke(body)

    assert play(scenario).body == first


def test_a_real_instance_serves_an_archive(play, booster, tmp_path):
    from dataclasses import replace

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
