"""What the status of an endpoint means for whoever wants to change it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from include.aws.endpoints import EndpointState, refuse_broken
from include.rollout.errors import DeploymentError


def endpoint(status: str) -> EndpointState:
    return EndpointState(
        name="churn",
        arn="arn",
        status=status,
        config="churn-config",
        pending=None,
        failure="the instances are gone",
        production=(),
        shadow=(),
        seen=datetime(2026, 3, 1, tzinfo=UTC),
        capture={},
        last_deployment={},
    )


@pytest.mark.parametrize("status", ["Failed", "UpdateRollbackFailed", "OutOfService"])
def test_what_no_waiting_ends_is_said_at_once(status: str) -> None:
    with pytest.raises(DeploymentError, match=f"is {status} .the instances are gone. and cannot be updated"):
        refuse_broken(endpoint(status))


@pytest.mark.parametrize(
    "status", ["InService", "Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"]
)
def test_what_passes_is_waited_for(status: str) -> None:
    refuse_broken(endpoint(status))
