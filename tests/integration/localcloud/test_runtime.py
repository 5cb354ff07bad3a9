"""Images and scripts on the real program: what serves, what fails when, and what is back after a kill."""

import io
import json
import pickle
import signal
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from botocore.exceptions import ClientError

REGISTRY = "683313688378.dkr.ecr.us-east-1.amazonaws.com"
ROLE = "arn:aws:iam::123456789012:role/serving"
SCRIPT = b"""
def model_fn(directory):
    return float(open(directory + "/weights").read())

def transform_fn(model, body, content_type, accept):
    return f"{model * float(body):g}"
"""


def archive(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name.replace("_py", ".py").replace("_model", "-model"))
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


class Host:
    """Uploads archives and serves a container on an endpoint of the same name."""

    def __init__(self, program: Any, hosting: Any) -> None:
        self.program, self.hosted = program, hosting(program)
        self.s3 = program.client("s3")
        self.s3.create_bucket(Bucket="artifacts")

    def upload(self, name: str, body: bytes) -> str:
        self.s3.put_object(Bucket="artifacts", Key=name, Body=body)
        return f"s3://artifacts/{name}"

    def serve(self, name: str, **container: Any) -> dict[str, Any]:
        self.hosted.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
        self.hosted.config(name, name)
        described: dict[str, Any] = self.hosted.create(name, name)
        return described

    def ask(self, name: str, body: bytes, kind: str = "text/csv", **more: str) -> bytes:
        runtime = self.program.client("sagemaker-runtime", retries={"total_max_attempts": 1})
        answered = runtime.invoke_endpoint(EndpointName=name, ContentType=kind, Body=body, **more)
        answer: bytes = answered["Body"].read()
        return answer


@pytest.fixture
def host(own_program: Any, hosting: Any) -> Host:
    return Host(own_program, hosting)


def test_scripts_in_s3_serve_as_the_sdk_leaves_them_and_are_back_after_a_kill(host: Host) -> None:
    described = host.serve(
        "scripted",
        Image=f"{REGISTRY}/sagemaker-xgboost:1.7-1",
        ModelDataUrl=host.upload("model.tar.gz", archive(weights=b"3")),
        Environment={
            "SAGEMAKER_PROGRAM": "serve.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": host.upload("sourcedir.tar.gz", archive(serve_py=SCRIPT)),
        },
    )
    assert described["EndpointStatus"] == "InService", described
    assert host.ask("scripted", b"2.5") == b"7.5"
    host.upload("sourcedir.tar.gz", archive(serve_py=b"raise SystemExit"))  # the deployment has its own copy
    host.program.stop(signal.SIGKILL)
    host.program.start()
    assert host.ask("scripted", b"2") == b"6"


def test_scripts_that_are_not_there_fail_the_endpoint_by_name(host: Host) -> None:
    described = host.serve(
        "unscripted",
        Image="penumbra/python:1",
        Environment={"SAGEMAKER_SUBMIT_DIRECTORY": "s3://artifacts/none.tar.gz"},
    )
    assert described["EndpointStatus"] == "Failed"
    assert "There are no scripts at s3://artifacts/none.tar.gz" in described["FailureReason"]


def test_a_python_file_of_ones_own_serves_without_an_archive(host: Host, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def predict_fn(rows, model): return [sum(row) for row in rows]\n")
    host.serve("mine", Image="penumbra/python:1", Environment={"LOCAL_SCRIPT": str(tmp_path / "mine.py")})
    assert host.ask("mine", b"1,2\n3,4") == b"3.0,7.0"


PIPELINE = b"""
import joblib

def model_fn(directory):
    return joblib.load(directory + "/weights")
"""


def packed(array: Any) -> bytes:
    body = io.BytesIO()
    np.save(body, array)
    return body.getvalue()


def test_a_scikit_learn_pipeline_answers_what_it_predicts_whatever_the_types(host: Host) -> None:
    import joblib  # here, because the other tests need not wait until these are loaded
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = np.random.default_rng(3).normal(size=(40, 4)).astype(np.float32)
    pipeline = make_pipeline(StandardScaler(), Ridge()).fit(rows, rows[:, 0] - rows[:, 1] * rows[:, 2])
    expected = pytest.approx(pipeline.predict(rows[:3]).tolist(), rel=1e-6)
    dumped = io.BytesIO()
    joblib.dump(pipeline, dumped)
    described = host.serve(
        "pipeline",
        Image=f"{REGISTRY}/sagemaker-scikit-learn:1.4-2-cpu-py3",
        ModelDataUrl=host.upload(
            "pipeline.tar.gz", archive(weights=dumped.getvalue(), **{"code/inference_py": PIPELINE})
        ),
    )
    assert described["EndpointStatus"] == "InService", described
    table = rows[:3].tolist()
    lines = "\n".join(",".join(map(str, row)) for row in table).encode()
    sent = {
        "text/csv": lines,
        "application/json": json.dumps(table).encode(),
        "application/x-npy": packed(rows[:3]),
    }
    for kind, body in sent.items():
        assert json.loads(host.ask("pipeline", body, kind)) == expected  # JSON where nothing is asked for
    as_csv = host.ask("pipeline", lines, Accept="text/csv").decode()
    assert [float(line) for line in as_csv.splitlines()] == expected
    as_npy = host.ask("pipeline", lines, Accept="application/x-npy")
    assert np.load(io.BytesIO(as_npy), allow_pickle=False).tolist() == expected

    def refused(body: bytes, kind: str = "text/csv", **more: str) -> int:
        with pytest.raises(ClientError) as caught:
            host.ask("pipeline", body, kind, **more)
        return int(caught.value.response["OriginalStatusCode"])

    assert refused(lines, "image/png") == 415
    assert refused(lines, Accept="image/png") == 406
    assert refused(lines.splitlines()[0]) == 500  # one row alone has one dimension, as in the container
    assert refused(packed(np.array([{}])), "application/x-npy") == 500  # no pickle comes in with a request


def test_a_scikit_learn_model_without_a_script_is_never_loaded(host: Host) -> None:
    described = host.serve(
        "bare",
        Image=f"{REGISTRY}/sagemaker-scikit-learn:1.4-2-cpu-py3",
        ModelDataUrl=host.upload("bare.tar.gz", archive(weights=pickle.dumps({}))),
    )
    assert described["EndpointStatus"] == "Failed"
    assert "put code/inference.py with a model_fn into the model archive" in described["FailureReason"]


class Booster:
    """Pickles under the name of XGBoost's own, as one of 0.90 did: its state is the handle's bytes."""

    def __init__(self, handle: bytes) -> None:
        self.handle = bytearray(handle)


@pytest.mark.filterwarnings("ignore:.*deprecated binary model format")
def test_an_old_pickle_serves_under_an_old_tag_and_fails_each_invocation_under_a_new_one(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = xgboost.DMatrix([[0.0], [1.0]], label=[0, 1], nthread=1)
    trained = xgboost.train({"objective": "binary:logistic", "nthread": 1}, data, 3)
    raw = bytes(trained.save_raw("deprecated"))
    monkeypatch.setattr(xgboost.core, "Booster", Booster)
    Booster.__module__, Booster.__qualname__ = "xgboost.core", "Booster"
    pickled = archive(xgboost_model=pickle.dumps(Booster(raw), protocol=2))
    url = host.upload("old.tar.gz", pickled)
    for name, tag in (("old", "0.90-2-cpu-py3"), ("new", "3.0-5")):
        described = host.serve(name, Image=f"{REGISTRY}/sagemaker-xgboost:{tag}", ModelDataUrl=url)
        assert described["EndpointStatus"] == "InService", described
    assert float(host.ask("old", b"1")) == pytest.approx(float(trained.predict(data)[1]))
    for _ in range(2):
        with pytest.raises(ClientError) as caught:
            host.ask("new", b"1")
        assert caught.value.response["OriginalStatusCode"] == 500
        assert "Unable to load model" in json.dumps(caught.value.response["OriginalMessage"])
