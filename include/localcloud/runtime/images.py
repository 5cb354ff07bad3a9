"""Which program an instance runs: decided by the container image's repository and tag."""

import re
from dataclasses import dataclass
from enum import StrEnum

from include.localcloud.runtime.plan import StartupError

_IMAGE = re.compile(
    r"^(?:(?:localhost|[a-z0-9-]+\.[a-z0-9.-]+)(?::\d+)?/)?(?P<repository>[a-z0-9/_.-]+?)(?::(?P<tag>[\w.-]+))?(?:@sha256:\w+)?$"
)


class Runtime(StrEnum):
    """The programs that `include.localcloud.runtime.container` can be."""

    XGBOOST = "xgboost"
    LIGHT = "light"
    PYTHON = "python"
    SCIKIT_LEARN = "scikit-learn"


@dataclass(frozen=True, kw_only=True)
class Image:
    """A container image URI, read."""

    runtime: Runtime
    tag: str
    # Whether it loads Boosters that XGBoost up to 0.90 pickled; the containers since 1.0 do not.
    old_pickles: bool = False


_EARLY = "xgboost"  # the first-party image of the early days, XGBoost 0.72: …/xgboost:1
_RUNTIMES = {
    "sagemaker-xgboost": Runtime.XGBOOST,  # <account>.dkr.ecr.<region>.amazonaws.com/sagemaker-xgboost:3.0-5
    _EARLY: Runtime.XGBOOST,
    "sagemaker-scikit-learn": Runtime.SCIKIT_LEARN,  # …/sagemaker-scikit-learn:1.4-2-cpu-py3
    "penumbra/light": Runtime.LIGHT,
    "penumbra/python": Runtime.PYTHON,
}


def resolve(uri: str) -> Image:
    """Return what runs for an image URI; raise StartupError naming the known repositories for any other.

    The tag of SageMaker's XGBoost begins with XGBoost's version (`0.90-2-cpu-py3`, `3.0-5`), and a tag that
    does not, such as `latest`, is a new one.
    """
    match = _IMAGE.match(uri.strip())
    repository = match["repository"] if match else ""
    runtime = _RUNTIMES.get(repository)
    if match is None or runtime is None:
        known = ", ".join(sorted(_RUNTIMES))
        raise StartupError(f"image {uri} has no local runtime; known image repositories are {known}")
    tag = match["tag"] or "latest"
    old = runtime is Runtime.XGBOOST and (repository == _EARLY or tag.startswith("0."))
    return Image(runtime=runtime, tag=tag, old_pickles=old)
