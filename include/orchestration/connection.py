"""From an Airflow connection to clients, and from a task to its rollout."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from include.ledger.place import LEDGER_CONNECTION, LEDGER_CONNECTION_VARIABLE, LEDGER_VARIABLE
from include.rollout.names import is_rollout_id, rollout_id

if TYPE_CHECKING:
    from include.aws.clients import Clients
    from include.ledger.lease import Lease, OwnerRun
    from include.ledger.store import Store
    from include.steps.rollout import Rollout

log = logging.getLogger("penumbra")


def clients_of(connection: str) -> Clients:
    """Return the AWS clients of an Airflow connection, endpoint_url and per-service overrides included."""
    from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook

    from include.aws.clients import SERVICES, connect

    hook = AwsGenericHook(aws_conn_id=connection)
    found = {service: hook.conn_config.get_service_endpoint_url(service) for service in SERVICES}
    return connect(hook.get_session(), {service: url for service, url in found.items() if url})


def store_of(location: str, connection: str) -> Store:
    """Return the ledger's store at `location`, reached with an Airflow connection."""
    from include.ledger.store import Store

    return Store(location, clients_of(connection).store_access() if location.startswith("s3://") else None)


def ledger_place() -> tuple[str, str]:
    """Return the ledger's location and the connection that reaches it, from Airflow's variables."""
    from airflow.sdk import Variable

    return Variable.get(LEDGER_VARIABLE), Variable.get(LEDGER_CONNECTION_VARIABLE, default=LEDGER_CONNECTION)


def rollout_at(
    dag_id: str,
    run_id: str,
    *,
    ledger: str,
    ledger_connection: str,
    connection: str = "",
    say: Callable[[str], None] = log.info,
    owner_is_over: Callable[[Lease], bool | None] = lambda lease: None,
) -> Rollout:
    """Return the rollout that a DAG run is; `connection` counts only before its spec is in the ledger."""
    from airflow.configuration import conf

    from include.ledger.lease import OwnerRun
    from include.ledger.objects import Kind, Ledger
    from include.steps.rollout import Rollout

    identity = rollout_id(dag_id, run_id)
    store = store_of(ledger, ledger_connection)
    stored = Ledger(store, identity).read(Kind.SPEC)
    if stored is not None:
        connection = stored["spec"]["connection"]
    return Rollout(
        id=identity,
        run=OwnerRun(dag_id=dag_id, run_id=run_id, airflow=conf.get("api", "base_url", fallback="")),
        store=store,
        clients=clients_of(connection or ledger_connection),
        say=say,
        owner_is_over=owner_is_over,
    )


def another_rollout(dag_id: str, named: str) -> Rollout:
    """Return the rollout that a person names, by its id or by the run id of its DAG run `dag_id`."""
    from include.ledger.objects import Kind, Ledger
    from include.rollout.errors import MissingError

    ledger, ledger_connection = ledger_place()
    identity = named if is_rollout_id(named) else rollout_id(dag_id, named)
    opened = Ledger(store_of(ledger, ledger_connection), identity).read(Kind.OPEN)
    if opened is None:
        raise MissingError(f"there is no rollout {named!r}; give its id or the run id of its {dag_id} run.")
    return rollout_at(opened["dag_id"], opened["run_id"], ledger=ledger, ledger_connection=ledger_connection)


@contextlib.contextmanager
def performing(context: Any, *, connection: str = "") -> Iterator[Rollout]:
    """Give a task its rollout; what goes wrong is written to the ledger as that task's failure, in its own words."""
    from include.ledger.objects import failure_key
    from include.rollout.errors import RolloutError

    run, task = context["dag_run"], context["ti"]
    ledger, ledger_connection = ledger_place()
    rollout = rollout_at(
        run.dag_id,
        run.run_id,
        ledger=ledger,
        ledger_connection=ledger_connection,
        connection=connection,
        owner_is_over=owner_is_over_here,
    )
    try:
        yield rollout
    except Exception as error:
        reason = str(error) if isinstance(error, RolloutError) else f"{type(error).__name__}: {error}"
        with contextlib.suppress(Exception):  # the task's own error matters more than a ledger that is down
            tail = task.task_id if task.map_index < 0 else f"{task.task_id}.{task.map_index}"
            rollout.write(failure_key(tail), {"task": task.task_id, "reason": reason})
        raise


def owner_is_over_here(lease: Lease) -> bool | None:
    """Ask this Airflow whether the run that holds a lease is over; None when it is another Airflow's run."""
    return run_is_over(lease.owner_run)


def run_is_over(run: OwnerRun) -> bool | None:
    """Ask this Airflow whether a DAG run is over; None when it is another Airflow's, or unknown here."""
    from airflow.configuration import conf
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    if run.airflow != conf.get("api", "base_url", fallback=""):
        return None
    try:
        state = RuntimeTaskInstance.get_dagrun_state(run.dag_id, run.run_id)
    except Exception:  # the run was deleted, or Airflow cannot say: the lease's expiry decides
        log.warning("Airflow does not know run %s of %s", run.run_id, run.dag_id)
        return None
    return state in {"success", "failed"}


def task_died(run: Any, task_id: str) -> bool:
    """Say whether a task of the same DAG run ended without success; False while Airflow cannot tell."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    try:
        states = RuntimeTaskInstance.get_task_states(
            dag_id=run.dag_id, task_ids=[task_id], run_ids=[run.run_id]
        )
    except Exception as error:  # a busy API server is asked again a second later
        log.debug("Airflow does not say how %s is: %s", task_id, error)
        return False
    return states.get(run.run_id, {}).get(task_id) in {"failed", "upstream_failed", "skipped", "removed"}
