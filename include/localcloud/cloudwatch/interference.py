"""Metrics that come late, in part or not at all, because a test asked for it."""

import heapq
import itertools
from collections.abc import Callable
from hashlib import blake2b

KINDS = ("drop", "delay", "gaps")
Publish = Callable[[], None]


class Interference:
    """Stands between what an endpoint's variants publish and the store that shows it."""

    def __init__(self) -> None:
        self._faults: dict[
            str | None, dict[str, float]
        ] = {}  # endpoint, None for every one -> kind -> amount
        self._held: list[tuple[float, int, Publish]] = []  # with the time from which it may be seen
        self._serial = itertools.count()

    def set(self, endpoint: str | None, kind: str | None, amount: float) -> None:
        """Lose ("drop") everything from now on, show it `amount` seconds later ("delay"), or lose a share of
        `amount` of the periods ("gaps"); None takes back all faults of the endpoint.
        """
        if kind is None:
            self._faults.pop(endpoint, None)
        elif kind in KINDS:
            self._faults.setdefault(endpoint, {})[kind] = amount
        else:
            raise ValueError(f"the metric fault is {kind!r}; allowed are {', '.join(KINDS)} and None")

    def pass_on(self, *, endpoint: str, variant: str, start: int, due: float, publish: Publish) -> None:
        """Publish a variant's period that began at `start` and is due to be seen from `due` on: now, later or never."""
        if not self._faults:
            publish()
            return
        faults = {**self._faults.get(None, {}), **self._faults.get(endpoint, {})}
        if "drop" in faults or _position(endpoint, variant, start) < faults.get("gaps", 0.0):
            return
        if "delay" in faults:
            heapq.heappush(self._held, (due + faults["delay"], next(self._serial), publish))
        else:
            publish()

    def release(self, now: float) -> None:
        """Publish what was held back until `now` or earlier."""
        while self._held and self._held[0][0] <= now:
            heapq.heappop(self._held)[2]()


def _position(endpoint: str, variant: str, start: int) -> float:
    """Return a number in [0, 1) that says where a period stands: a gap is one for all metrics of a variant."""
    text = f"{endpoint}/{variant}/{start}".encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") / 2.0**64
