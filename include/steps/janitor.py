"""Settle rollouts whose run died before it could settle itself, and delete what former promotions left."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from include.ledger.lease import OwnerRun
from include.ledger.objects import Kind
from include.ledger.reader import Entry, Reader
from include.rollout.errors import DeploymentError
from include.rollout.verdict import End
from include.steps.generations import former_configs, former_models, remove_former
from include.steps.rollout import Rollout, Wait
from include.steps.settle import settle

_TIDYING = timedelta(minutes=10)  # of the lease
_LATEST = 200  # rollouts that are looked at; older ones were looked at before


def unsettled(reader: Reader) -> list[tuple[str, OwnerRun]]:
    """List the rollouts without an outcome, the newest first, each with the DAG run that it is."""
    return [(entry.rollout_id, _run(entry)) for entry in reader.newest(_LATEST) if entry.outcome is None]


def last_promotions(reader: Reader) -> list[tuple[str, OwnerRun]]:
    """List the last promotion of each endpoint, with the DAG run that it was."""
    found: dict[str, tuple[str, OwnerRun]] = {}
    for entry in reader.newest(_LATEST):
        if entry.outcome is None or entry.outcome["end"] != End.PROMOTED:
            continue
        baseline = reader.object(entry.rollout_id, Kind.BASELINE)
        if baseline is not None:
            found.setdefault(
                str(baseline["endpoint_arn"] or baseline["endpoint"]), (entry.rollout_id, _run(entry))
            )
    return list(found.values())


def tidy(rollout: Rollout) -> list[str]:
    """Delete what promotions before this one left on its endpoint; return the names.

    The endpoint's lease is taken only where there is something to delete, and nothing is done while a rollout has it.
    """
    baseline = rollout.baseline
    if rollout.leases.current(baseline.endpoint) is not None:
        return []
    if not (former_configs(rollout) or former_models(rollout)):
        return []
    now = rollout.now()
    lease = rollout.leases.acquire(
        baseline.endpoint,
        rollout.id,
        rollout.run,
        now=now,
        until=now + _TIDYING,
        owner_is_over=rollout.owner_is_over,
    )
    lease = rollout.leases.raise_fence(lease)
    try:
        deleted = remove_former(rollout, lease)
    finally:
        rollout.leases.release(lease)
    rollout.headline("janitor")(f"deleted {', '.join(deleted)}, which former promotions left")
    return deleted


def is_left_behind(rollout: Rollout, *, over: bool | None, now: datetime) -> bool:
    """Say whether nobody will settle the rollout any more: its run is `over`, or its lease was left behind.

    Where no Airflow can say (None: the run was deleted, or is another Airflow's), the rule is that of whoever would
    take the lease over: it must still be the rollout's, as seen from here, and have expired.
    """
    if over is not None:
        return over
    baseline = rollout.ledger.read(Kind.BASELINE)
    lease = rollout.leases.current(str(baseline["endpoint"])) if baseline is not None else None
    return lease is not None and lease.owner == rollout.id and now >= lease.expires


def _run(entry: Entry) -> OwnerRun:
    return OwnerRun(
        dag_id=str(entry.about["dag_id"]),
        run_id=str(entry.about["run_id"]),
        airflow=str(entry.about.get("airflow", "")),
    )


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
