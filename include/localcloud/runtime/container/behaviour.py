"""How long an instance takes and how often it fails, when its environment says so.

Two raw 1 ms models on two shared cores differ by 20 % at p90 for being dispatched second, so the
sample containers declare a service time that they wait instead of burning. Half of its spread belongs to the
request and is therefore the same for production and shadow.
"""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from statistics import NormalDist

_STANDARD_NORMAL = NormalDist()


def _number(environment: Mapping[str, str], name: str, default: float, least: float, most: float) -> float:
    text = environment.get(name, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise ValueError(f"{name} is {text!r}; it must be a number between {least:g} and {most:g}")
    return value


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """Service time (lognormal) and error share of one instance; the default adds nothing."""

    median: float = 0.0  # seconds; 0 answers as soon as the model has
    request_sd: float = 0.20  # of the log service time, shared by every instance that sees the request
    own_sd: float = 0.10  # of the log service time, this instance's own
    factor: float = 1.0  # multiplies the service time
    error_share: float = 0.0  # of the requests
    error_status: int = 500
    chance: random.Random = field(default_factory=random.Random)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Behaviour":
        """Read the LOCAL_* variables; raise ValueError naming the variable that is out of range."""
        return cls(
            median=_number(environment, "LOCAL_SERVICE_TIME_MEDIAN_MS", 0.0, 0.0, 60_000.0) / 1e3,
            request_sd=_number(environment, "LOCAL_SERVICE_TIME_REQUEST_SD", 0.20, 0.0, 3.0),
            own_sd=_number(environment, "LOCAL_SERVICE_TIME_OWN_SD", 0.10, 0.0, 3.0),
            factor=_number(environment, "LOCAL_SERVICE_TIME_FACTOR", 1.0, 0.0, 1000.0),
            error_share=_number(environment, "LOCAL_ERROR_SHARE", 0.0, 0.0, 1.0),
            error_status=int(_number(environment, "LOCAL_ERROR_STATUS", 500, 400, 599)),
        )

    def service_time(self, inference_id: str, body: bytes) -> float:
        """Return median · factor · exp(request_sd·Z_request + own_sd·Z_own) in seconds.

        Z_request is a standard normal drawn from the inference id, or from the body when there is none, so
        both variants of a mirrored request share it; Z_own is drawn afresh.
        """
        if self.median <= 0:
            return 0.0
        digest = blake2b(inference_id.encode() if inference_id else body, digest_size=8).digest()
        uniform = (int.from_bytes(digest, "big") + 0.5) / 2.0**64
        shared = _STANDARD_NORMAL.inv_cdf(min(max(uniform, 1e-16), 1 - 1e-16))
        own = self.chance.gauss(0.0, 1.0)
        return self.median * self.factor * math.exp(self.request_sd * shared + self.own_sd * own)

    def fails(self) -> bool:
        """Say, independently for each request, whether it is one of the failing share."""
        return self.error_share > 0 and self.chance.random() < self.error_share
