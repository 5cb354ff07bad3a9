"""Which program an image URI stands for."""

import pytest

from include.localcloud.runtime.images import Image, Runtime, resolve
from include.localcloud.runtime.plan import StartupError


@pytest.mark.parametrize(
    ("uri", "runtime", "tag"),
    [
        ("683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.0-5", Runtime.XGBOOST, "3.0-5"),
        ("811284229777.dkr.ecr.us-east-1.amazonaws.com/xgboost:1", Runtime.XGBOOST, "1"),
        ("sagemaker-xgboost", Runtime.XGBOOST, "latest"),
        ("penumbra/light:7", Runtime.LIGHT, "7"),
        ("localhost:5000/penumbra/light", Runtime.LIGHT, "latest"),
    ],
)
def test_the_repository_decides_wherever_the_registry_is(uri, runtime, tag):
    assert resolve(uri) == Image(runtime=runtime, tag=tag)


@pytest.mark.parametrize(
    "uri", ["", "nginx", "not-sagemaker-xgboost:1", "a/sagemaker-xgboost:1", "penumbra/light:a:b"]
)
def test_an_unknown_image_is_refused_naming_the_known(uri):
    with pytest.raises(StartupError, match="known image repositories are penumbra/light, sagemaker-xgboost"):
        resolve(uri)
