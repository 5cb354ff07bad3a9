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


@dataclass(frozen=True, kw_only=True)
class Image:
    """A container image URI, read."""

    runtime: Runtime
    tag: str


_RUNTIMES = {
    "sagemaker-xgboost": Runtime.XGBOOST,  # <account>.dkr.ecr.<region>.amazonaws.com/sagemaker-xgboost:3.0-5
    "xgboost": Runtime.XGBOOST,  # the first-party image of the early days, …/xgboost:1
    "penumbra/light": Runtime.LIGHT,
}


def resolve(uri: str) -> Image:
    """Return what runs for an image URI; raise StartupError naming the known repositories for any other."""
    match = _IMAGE.match(uri.strip())
    repository = match["repository"] if match else ""
    runtime = _RUNTIMES.get(repository)
    if match is None or runtime is None:
        known = ", ".join(sorted(_RUNTIMES))
        raise StartupError(f"image {uri} has no local runtime; known image repositories are {known}")
    return Image(runtime=runtime, tag=match["tag"] or "latest")
