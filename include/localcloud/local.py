"""The local cloud's own API under `/_local/`: health, state, clock, faults. Nothing of it exists on AWS."""

import json
from collections.abc import Callable
from typing import Any

from include.localcloud.clock import Clock
from include.localcloud.faults import FaultError, Faults
from include.localcloud.http import Request, Response

VERSION = "0.1.0"


class LocalApi:
    """GET health and state; GET and POST the clock; POST, GET and DELETE faults."""

    def __init__(self, faults: Faults, state: Callable[[], dict[str, Any]], clock: Clock) -> None:
        self._faults = faults
        self._state = state
        self._clock = clock

    async def handle(self, request: Request, region: str) -> Response:
        """Return JSON; 400 with an `error` for a fault that makes no sense, 404 for what is not here."""
        match request.method, request.path.removeprefix("/_local/").rstrip("/"):
            case "GET", "health":
                return _json({"service": "penumbra-localcloud", "version": VERSION})
            case "GET", "state":
                return _json(self._state())
            case "GET", "clock":
                return _json(self._time())
            case "POST", "clock":
                try:
                    self._clock.scale = _scale(json.loads(request.body))
                except ValueError as error:
                    return _json({"error": str(error)}, 400)
                return _json(self._time())
            case "GET", "faults":
                return _json({"faults": self._faults.shown()})
            case "POST", "faults":
                try:
                    wanted = json.loads(request.body)
                    if not isinstance(wanted, dict):
                        raise FaultError(f"the body is a {type(wanted).__name__}; it must be a JSON object")
                    self._faults.add(wanted)
                except ValueError as error:
                    return _json({"error": str(error)}, 400)
                return _json({"faults": self._faults.shown()})
            case "DELETE", "faults":
                self._faults.clear()
                return _json({"faults": []})
            case _:
                known = "GET health, GET state, GET|POST clock, GET|POST|DELETE faults"
                return _json(
                    {"error": f"{request.method} {request.path} is not here; known are {known}"}, 404
                )

    def _time(self) -> dict[str, float]:
        return {"now": self._clock.now(), "scale": self._clock.scale}


def _scale(wanted: Any) -> float:
    scale = wanted.get("scale") if isinstance(wanted, dict) and wanted.keys() == {"scale"} else None
    if isinstance(scale, bool) or not isinstance(scale, int | float):
        raise ValueError(f'the body is {wanted!r}; it must be {{"scale": seconds per second of the machine}}')
    return float(scale)


def _json(value: Any, status: int = 200) -> Response:
    return Response(status, {"Content-Type": "application/json"}, json.dumps(value).encode())
