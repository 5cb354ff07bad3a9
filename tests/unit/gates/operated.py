"""Evidence made to order of what a candidate takes to run: utilisation, overhead and fleets."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from include.rollout.evidence import Evidence
from include.rollout.fleet import Fleet
from tests.unit.gates.conftest import measured

ONE = Fleet(instance_type="ml.m5.large", count=1, usd_per_hour=0.115)
ALIKE = {"production": ONE, "shadow": ONE, "promoted": ONE}


def used(
    shadow: Sequence[float | None],
    production: Sequence[float | None] | None = None,
    *,
    metric: str = "CPUUtilization",
    fleets: Mapping[str, Fleet] = ALIKE,
    sampling: float = 1.0,
    requests: float = 600,
) -> Evidence:
    """Return evidence with this use a period (CloudWatch's per cent), None where nothing was published."""
    n = len(shadow)
    evidence = measured([requests] * n, [requests * sampling] * n, sampling=sampling, fleets=fleets)

    def rows(role: str, values: Sequence[float | None]):
        return tuple(
            row
            if value is None
            else replace(row, utilization={f"{metric}.maximum": value, f"{metric}.average": 0.9 * value})
            for row, value in zip(getattr(evidence, role), values, strict=True)
        )

    return replace(
        evidence,
        shadow=rows("shadow", shadow),
        production=rows("production", [None] * n if production is None else production),
    )


def delayed(shadow_us: Sequence[float | None]) -> Evidence:
    """Return evidence with this OverheadLatency p50 of the shadow a period, in microseconds."""
    n = len(shadow_us)
    evidence = measured([600] * n, [600] * n, sampling=1.0)
    rows = [
        row if value is None else replace(row, overhead={"p50": value})
        for row, value in zip(evidence.shadow, shadow_us, strict=True)
    ]
    return replace(evidence, shadow=tuple(rows))
