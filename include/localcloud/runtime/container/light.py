"""The light image: a probability drawn from the request's bytes, without any model, in no time.

For tests and experiments that need many instances: the process starts in a tenth of a second.
"""

from collections.abc import Mapping
from hashlib import blake2b

from include.localcloud.runtime.container.answer import CSV_ANSWER, Answer


class Light:
    """Answers LOCAL_ANSWER when it is set, else a probability that only the body determines."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._fixed = environment.get("LOCAL_ANSWER", "")

    def invoke(self, body: bytes, content_type: str, accept: str) -> Answer:
        """Return one number in [0, 1) with 6 decimals as text/csv; an empty body is answered 204."""
        if not body:
            return Answer(204)
        if self._fixed:
            return Answer(200, self._fixed.encode(), CSV_ANSWER)
        digest = int.from_bytes(blake2b(body, digest_size=8).digest(), "big")
        return Answer(200, f"{digest / 2.0**64:.6f}".encode(), CSV_ANSWER)
