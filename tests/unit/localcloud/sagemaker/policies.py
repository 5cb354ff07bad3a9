"""Deployment policies in few words."""

from typing import Any


def routed(kind: str, size: tuple[str, int] | None = None, wait: int = 60, **more: Any) -> dict[str, Any]:
    routing: dict[str, Any] = {"Type": kind, "WaitIntervalInSeconds": wait}
    if size is not None:
        field = "CanarySize" if kind == "CANARY" else "LinearStepSize"
        routing[field] = {"Type": size[0], "Value": size[1]}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, **more}}


def rolling(size: tuple[str, int], wait: int = 60, **more: Any) -> dict[str, Any]:
    batch = {"Type": size[0], "Value": size[1]}
    return {"RollingUpdatePolicy": {"MaximumBatchSize": batch, "WaitIntervalInSeconds": wait, **more}}
