"""Scripts: which one serves, what its hooks get, and what happens where it has none."""

import asyncio
import io
import json
import tarfile
from dataclasses import replace

import numpy as np
import pytest
import xgboost

from include.localcloud.runtime.container import plain_hooks, xgboost_hooks
from include.localcloud.runtime.container.script import Script, find_script
from include.localcloud.runtime.plan import StartupError

_PYTHON = "penumbra/python:1"
_XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"


@pytest.fixture
def script(tmp_path):
    def write(text, defaults=plain_hooks.DEFAULTS, **environment):
        file = tmp_path / "code" / "inference.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        return Script(file, tmp_path, defaults, environment)

    return write


def archive(file, **members):
    with tarfile.open(file, "w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name.replace("__", "/").replace("_py", ".py"))
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return file


def test_a_prediction_alone_is_enough(script):
    served = script("def predict_fn(rows, model): return [sum(row) for row in rows]")
    answer = served.invoke(b"1,2\n3,4", "text/csv", "*/*")
    assert (answer.status, answer.body, answer.content_type) == (200, b"3.0,7.0", "text/csv; charset=utf-8")
    assert served.invoke(b"[[1, 2]]", "application/json", "application/json").body == b"[3]"
    assert served.invoke(b"x", "image/png", "").status == 415
    assert served.invoke(b"1", "text/csv", "image/png").status == 406


def test_every_hook_gets_what_the_one_before_gave(script):
    served = script(
        "def model_fn(directory): return directory\n"
        "def input_fn(body, content_type): return (type(body).__name__, body, content_type)\n"
        "def predict_fn(data, model): return [*data, model]\n"
        "def output_fn(prediction, accept): return repr(prediction), 'text/x-' + accept[5:]\n"
    )
    folder = served._model
    answer = served.invoke(b"a", "text/csv; charset=utf-8", "text/csv")
    assert answer.body.decode() == repr(["str", "a", "text/csv; charset=utf-8", folder])
    assert answer.content_type == "text/x-csv"
    assert b"'bytes', b'a', 'image/png'" in served.invoke(b"a", "image/png", "text/csv").body


def test_transform_fn_does_it_all(script):
    served = script(
        "def model_fn(directory): return 'm'\n"
        "def transform_fn(model, data, content_type, accept): return f'{model}|{data}|{content_type}|{accept}'\n",
        SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT="application/json",
    )
    assert served.invoke(b"d", "text/csv", "").body == b"m|d|text/csv|application/json"


@pytest.mark.parametrize(
    ("text", "defaults", "said"),
    [
        ("", plain_hooks.DEFAULTS, "has no predict_fn"),
        ("def predict_fn(d, m): return 1", xgboost_hooks.DEFAULTS, "has no model_fn"),
        (
            "def predict_fn(d, m): return 1\ndef transform_fn(*a): return 1",
            plain_hooks.DEFAULTS,
            "transform_fn beside predict_fn",
        ),
        ("predict_fn = 3", plain_hooks.DEFAULTS, "predict_fn of the script is int"),
        ("async def predict_fn(d, m): return 1", plain_hooks.DEFAULTS, "must be a plain one"),
    ],
)
def test_hooks_that_cannot_serve_are_named(script, text, defaults, said):
    with pytest.raises(ValueError, match=said):
        script(text, defaults)


def test_an_output_that_is_no_text_is_the_scripts_own_mistake(script):
    answer = script("def predict_fn(d, m): return 1\ndef output_fn(p, a): return p").invoke(
        b"1", "text/csv", ""
    )
    assert (answer.status, answer.body[:31]) == (500, b"the script's output is int; out")


def test_the_xgboost_images_own_hooks_predict_what_the_booster_does(script, tmp_path):
    random = np.random.default_rng(1)
    rows = random.normal(size=(100, 4)).astype(np.float32)
    data = xgboost.DMatrix(rows, label=rows[:, 0] > 0, nthread=1)
    booster = xgboost.train({"objective": "binary:logistic", "nthread": 1}, data, 3)
    booster.save_model(tmp_path / "churn.json")
    served = script(
        "import xgboost\n"
        "def model_fn(directory):\n    return xgboost.Booster(model_file=directory + '/churn.json')\n",
        xgboost_hooks.DEFAULTS,
    )
    expected = booster.predict(data).tolist()
    lines = "\n".join(",".join(map(str, row)) for row in rows.tolist())
    sparse = "\n".join(" ".join(f"{i + 1}:{value}" for i, value in enumerate(row)) for row in rows.tolist())
    for body, kind in ((lines, "text/csv"), (sparse, "text/libsvm")):
        answer = served.invoke(body.encode(), kind, "application/json")
        assert [each["score"] for each in json.loads(answer.body)["predictions"]] == expected
    assert served.invoke(b"a,b", "text/csv", "").status == 415
    assert served.invoke(b"900000:1", "text/libsvm", "").status == 415
    assert served.invoke(b"1,2,3,4", "text/csv", "image/png").status == 406


def test_a_script_is_found_where_it_is_named(tmp_path):
    code, source = tmp_path / "code", tmp_path / "source"
    for folder in (code, source):
        folder.mkdir()
        (folder / "serve.py").write_text("")
    assert find_script(tmp_path, None, {}) is None
    (code / "inference.py").write_text("")
    assert find_script(tmp_path, None, {}) == code / "inference.py"
    named = {"SAGEMAKER_PROGRAM": "serve.py"}
    assert find_script(tmp_path, None, named) == code / "serve.py"
    in_container = {**named, "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    assert find_script(tmp_path, None, in_container) == code / "serve.py"
    assert find_script(tmp_path, source, named) == source / "serve.py"
    assert find_script(tmp_path, source, {"LOCAL_SCRIPT": str(code / "serve.py")}) == code / "serve.py"


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"SAGEMAKER_PROGRAM": "none.py"}, "no such file in the folder code"),
        ({"SAGEMAKER_PROGRAM": "../secret.py"}, "no such file"),
        ({"SAGEMAKER_SUBMIT_DIRECTORY": "https://elsewhere/code"}, "allowed are an s3:// URL"),
        ({"LOCAL_SCRIPT": "relative.py"}, "absolute path"),
        ({"LOCAL_SCRIPT": "/no/such/file.py"}, "absolute path"),
    ],
)
def test_a_script_that_is_named_and_not_there_is_said(tmp_path, environment, said):
    (tmp_path / "code").mkdir()
    (tmp_path / "secret.py").write_text("")
    with pytest.raises(ValueError, match=said):
        find_script(tmp_path, None, environment)


def test_real_instances_serve_a_file_an_archive_and_scripts_from_s3(play, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import helper\ndef predict_fn(rows, model): return helper.answer(rows)\n"
    )
    (tmp_path / "helper.py").write_text("def answer(rows): return len(rows)\n")
    model = archive(
        tmp_path / "model.tar.gz",
        weights=b"5",
        code__inference_py=b"def model_fn(d): return float(open(d + '/weights').read())\n"
        b"def predict_fn(rows, model): return [model * row[0] for row in rows]\n",
    )
    scripts = archive(
        tmp_path / "source.tar.gz",
        serve_py=b"import os\ndef model_fn(d): return os.listdir(d)\n"
        b"def transform_fn(model, data, kind, accept): return ' '.join(sorted(model))\n",
    )

    async def scenario(world):
        answers = []
        submitted = {
            "SAGEMAKER_PROGRAM": "serve.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": "s3://mine/source.tar.gz",
        }
        for served in (
            {"image": _PYTHON, "environment": {"LOCAL_SCRIPT": str(tmp_path / "mine.py")}},
            {"image": _PYTHON, "model_data": model},
            {"image": _XGBOOST, "model_data": model, "source": scripts, "environment": submitted},
        ):
            await world.serve(replace(world.light(), **served))
            answers.append(await world.invoke(b"1,2\n3,4"))
        return answers

    assert [answer.body for answer in play(scenario)] == [b"2", b"5.0,15.0", b"code weights"]


def test_a_script_that_raises_fails_its_requests_and_serves_on(play, tmp_path):
    (tmp_path / "mine.py").write_text("def predict_fn(rows, model): return 1 / rows[0][0]\n")

    async def scenario(world):
        environment = {"LOCAL_SCRIPT": str(tmp_path / "mine.py")}
        await world.serve(replace(world.light(), image=_PYTHON, environment=environment))
        return await asyncio.gather(*(world.invoke(body) for body in (b"0", b"4")))

    failed, served = play(scenario)
    assert json.loads(failed.body)["OriginalMessage"] == "ZeroDivisionError: float division by zero"
    assert served.body == b"0.25"


@pytest.mark.parametrize(
    ("text", "said"),
    [("import no_such_library", "No module named 'no_such_library'"), ("", "has no predict_fn")],
)
def test_a_script_that_cannot_start_is_the_startup_error(play, tmp_path, text, said):
    (tmp_path / "mine.py").write_text(text)

    async def scenario(world):
        environment = {"LOCAL_SCRIPT": str(tmp_path / "mine.py")}
        with pytest.raises(StartupError, match=said):
            await world.serve(replace(world.light(), image=_PYTHON, environment=environment))

    play(scenario)
