"""Evidence made to order: measured, sparse, broken or empty."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from include.rollout.evidence import Evidence, Period

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
METRIC = "InvocationModelErrors"


def measured(
    production: Sequence[float | None],
    shadow: Sequence[float | None],
    *,
    production_errors: Sequence[float] | None = None,
    shadow_errors: Sequence[float] | None = None,
    production_latency: Sequence[float] | None = None,
    shadow_latency: Sequence[float] | None = None,
    quantile: str = "p90",
    period: int = 10,
    **facts: object,
) -> Evidence:
    """Return evidence with these counts a period; errors of 0 are left out, as CloudWatch does."""

    def rows(invocations, errors, latency):
        found = []
        for i, count in enumerate(invocations):
            error = errors[i] if errors is not None else 0
            found.append(
                Period(
                    start=BEGIN + timedelta(seconds=i * period),
                    invocations=count,
                    errors={METRIC: error} if error else {},
                    latency={quantile: latency[i]} if latency is not None else {},
                )
            )
        return tuple(found)

    return Evidence(
        **{
            "begin": BEGIN,
            "end": BEGIN + timedelta(seconds=len(production) * period),
            "period": period,
            "sampling": 0.5,
            "production": rows(production, production_errors, production_latency),
            "shadow": rows(shadow, shadow_errors, shadow_latency),
            **facts,
        }
    )


@pytest.fixture(name="measured", scope="session")
def measured_evidence() -> Callable[..., Evidence]:
    """Return the maker of evidence."""
    return measured
