"""Which program an image URI stands for."""

import pytest

from include.localcloud.runtime.images import Runtime, resolve
from include.localcloud.runtime.plan import StartupError


@pytest.mark.parametrize(
    ("uri", "runtime", "tag"),
    [
        ("683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.0-5", Runtime.XGBOOST, "3.0-5"),
        ("811284229777.dkr.ecr.us-east-1.amazonaws.com/xgboost:1", Runtime.XGBOOST, "1"),
        ("sagemaker-xgboost", Runtime.XGBOOST, "latest"),
        (
            "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.4-2-cpu-py3",
            Runtime.SCIKIT_LEARN,
            "1.4-2-cpu-py3",
        ),
        ("penumbra/light:7", Runtime.LIGHT, "7"),
        ("localhost:5000/penumbra/light", Runtime.LIGHT, "latest"),
        ("penumbra/python:1", Runtime.PYTHON, "1"),
    ],
)
def test_the_repository_decides_wherever_the_registry_is(uri, runtime, tag):
    image = resolve(uri)
    assert (image.runtime, image.tag) == (runtime, tag)


@pytest.mark.parametrize(
    ("uri", "old"),
    [
        ("sagemaker-xgboost:0.90-1-cpu-py3", True),
        ("sagemaker-xgboost:0.90-2", True),
        ("xgboost:1", True),
        ("sagemaker-xgboost:1.0-1", False),
        ("sagemaker-xgboost:3.0-5", False),
        ("sagemaker-xgboost", False),
        ("penumbra/python:0.1", False),
    ],
)
def test_only_tags_before_1_0_read_old_pickles(uri, old):
    assert resolve(uri).old_pickles is old


@pytest.mark.parametrize(
    "uri", ["", "nginx", "not-sagemaker-xgboost:1", "a/sagemaker-xgboost:1", "penumbra/light:a:b"]
)
def test_an_unknown_image_is_refused_naming_the_known(uri):
    with pytest.raises(
        StartupError,
        match="known image repositories are penumbra/light, penumbra/python, sagemaker-scikit-learn, "
        "sagemaker-xgboost, xgboost",
    ):
        resolve(uri)
