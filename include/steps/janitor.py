"""Settle rollouts whose run died before it could settle itself."""

from __future__ import annotations

import time
from collections.abc import Callable

from include.ledger.lease import OwnerRun
from include.ledger.reader import Reader
from include.rollout.errors import DeploymentError
from include.rollout.verdict import End
from include.steps.rollout import Rollout, Wait
from include.steps.settle import settle

_LATEST = 200  # rollouts that are looked at; older ones were looked at before


def unsettled(reader: Reader) -> list[tuple[str, OwnerRun]]:
    """List the rollouts without an outcome, the newest first, each with the DAG run that it is."""
    return [
        (
            entry.rollout_id,
            OwnerRun(
                dag_id=str(entry.about["dag_id"]),
                run_id=str(entry.about["run_id"]),
                airflow=str(entry.about.get("airflow", "")),
            ),
        )
        for entry in reader.newest(_LATEST)
        if entry.outcome is None
    ]


def settle_dead(rollout: Rollout, *, sleep: Callable[[float], None] = time.sleep) -> End:
    """Settle a rollout whose run is over, waiting for the endpoint here; what it left half done is undone.

    Raises DeploymentError when the endpoint takes longer than the spec's deploy_timeout.
    """
    rollout.headline("janitor")("its run is over and it has no outcome; settling it")
    result = settle(rollout)
    while isinstance(result, Wait):
        if rollout.now() >= result.until:
            raise DeploymentError(f"waited until {result.until:%H:%M:%S} UTC for {result.what}, in vain.")
        sleep(result.every)
        result = settle(rollout, result)
    return result
