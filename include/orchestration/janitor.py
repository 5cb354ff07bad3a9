"""The janitor's tasks: it settles where Airflow says that the owning run is over, or its lease was left behind."""

from __future__ import annotations

import logging

from include.orchestration.connection import ledger_place, rollout_at, run_is_over, store_of

log = logging.getLogger("penumbra")


def tidy_endpoints() -> list[str]:
    """Delete what former promotions left on each endpoint; one that cannot be tidied does not stop the others."""
    from include.ledger.reader import Reader
    from include.steps.janitor import last_promotions, tidy

    ledger, connection = ledger_place()
    deleted: list[str] = []
    for identity, run in last_promotions(Reader(store_of(ledger, connection))):
        try:
            rollout = rollout_at(run.dag_id, run.run_id, ledger=ledger, ledger_connection=connection)
            deleted += tidy(rollout)
        except Exception as error:
            # a rollout begins, AWS is slow, a connection was removed: the next look will do
            log.warning("[%s janitor] %s", identity, error)
    return deleted


def settle_dead_rollouts() -> list[str]:
    """Settle every rollout that has no outcome although its run is over, or unknown and its lease has expired.

    One that fails does not stop the others.
    """
    from include.ledger.reader import Reader
    from include.rollout.errors import RolloutError
    from include.steps.janitor import is_left_behind, settle_dead, unsettled

    ledger, connection = ledger_place()
    settled, failed = [], []
    for identity, run in unsettled(Reader(store_of(ledger, connection))):
        over = run_is_over(run)
        if over is False:
            continue
        try:
            rollout = rollout_at(run.dag_id, run.run_id, ledger=ledger, ledger_connection=connection)
            if is_left_behind(rollout, over=over, now=rollout.now()):
                settled.append(f"{identity} {settle_dead(rollout).value}")
        except Exception as error:
            log.error("[%s janitor] %s", identity, error)
            if over is None:
                continue  # another Airflow's, perhaps, with connections that are not known here
            failed.append(identity)
    if failed:
        raise RolloutError(
            f"could not settle {', '.join(failed)}; the log says why, and the next run tries again."
        )
    return settled
