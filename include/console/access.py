"""Airflow's side of the console: who is logged in, what they may read, and where the ledger is.

`airflow.api_fastapi` is not a public interface; what is used of it is pinned by the lock and tried against a real
Airflow by the tests.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models import Variable
from airflow.models.dag import DagModel, DagTag
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from fastapi import FastAPI, HTTPException
from sqlalchemy import select

from include.console.app import create_app
from include.console.archive import Archive
from include.ledger.place import LEDGER_CONNECTION, LEDGER_CONNECTION_VARIABLE, LEDGER_VARIABLE
from include.ledger.store import Credentials, Store, StoreAccess
from include.report.listing import Coming
from include.rollout.errors import LedgerError
from include.rollout.names import timestamp

_ROLLOUTS = "shadow_rollout"  # the DAG whose runs are rollouts
_REFRESH = "refresh"  # the tag of the DAGs that start rollouts by schedule
_FRESH = 30.0  # seconds until the variables are read again: a secrets backend may charge for it
_lock = threading.Lock()
_known: dict[tuple[str, str], Archive] = {}
_place: list[tuple[float, tuple[str, str]]] = []


class AirflowViewer:
    """A user of this Airflow, asked about through its auth manager."""

    def __init__(self, user: BaseUser) -> None:
        self._user = user

    def may_read(self, dag_id: str) -> bool:
        """Say whether the user may read the DAG; a rollout that names none is nobody's to read."""
        if not dag_id:
            return False
        details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
        return bool(get_auth_manager().is_authorized_dag(method="GET", details=details, user=self._user))

    def state_of(self, dag_id: str, run_id: str) -> str | None:
        """Return the run's state in this Airflow, or None: it has no such run, or the user may not read the DAG."""
        if not self.may_read(dag_id):
            return None
        with create_session() as session:
            found = session.scalar(
                select(DagRun.state).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
            )
        return None if found is None else str(found)

    def coming(self) -> list[Coming]:
        """List queued rollouts, then the next run of each refresh that is not paused."""
        with create_session() as session:
            queued = session.execute(
                select(DagRun.dag_id, DagRun.queued_at).where(
                    DagRun.dag_id == _ROLLOUTS, DagRun.state == "queued"
                )
            ).all()
            planned = session.execute(
                select(DagModel.dag_id, DagModel.next_dagrun_create_after)
                .where(
                    DagModel.dag_id.in_(select(DagTag.dag_id).where(DagTag.name == _REFRESH)),
                    DagModel.is_paused.is_(False),
                    DagModel.is_stale.is_(False),
                    DagModel.next_dagrun_create_after.is_not(None),
                )
                .order_by(DagModel.next_dagrun_create_after)
            ).all()
        readable = {dag_id for dag_id in {row[0] for row in (*queued, *planned)} if self.may_read(dag_id)}
        return [
            Coming(dag_id=dag_id, what=what, when=timestamp(when) if isinstance(when, datetime) else "")
            for what, rows in (("queued", queued), ("scheduled", planned))
            for dag_id, when in rows
            if dag_id in readable
        ]


def viewer(user: GetUserDep) -> AirflowViewer:
    """Let in a user who is logged in (else 401) and may read DAGs at all (else 403)."""
    if not get_auth_manager().is_authorized_dag(method="GET", user=user):
        raise HTTPException(403, "You may not read DAGs; ask for the read permission.")
    return AirflowViewer(user)


def archive() -> Archive:
    """Return the ledger that Airflow's variables name, opened once per place."""
    place = _ledger_place()
    with _lock:
        found = _known.get(place)
        if found is None:
            found = _known[place] = Archive(_store(*place), clock=time.monotonic)
        return found


def forget() -> None:
    """Read variables and connection again on the next request: a person may have mended them."""
    with _lock:
        _known.clear()
        _place.clear()


def console() -> FastAPI:
    """Return the console with Airflow's login in front."""
    return create_app(viewer=viewer, archive=archive, unreadable=forget)


def _ledger_place() -> tuple[str, str]:
    now = time.monotonic()
    if _place and now - _place[0][0] < _FRESH:
        return _place[0][1]
    location = Variable.get(LEDGER_VARIABLE, default_var=None)
    if not location:
        raise LedgerError(
            f"Airflow has no variable {LEDGER_VARIABLE}; set it to the ledger's location, s3://bucket/prefix."
        )
    place = (location, Variable.get(LEDGER_CONNECTION_VARIABLE, default_var=LEDGER_CONNECTION))
    _place[:] = [(now, place)]
    return place


def _store(location: str, connection: str) -> Store:
    """Open the ledger with an AWS connection of Airflow, as the tasks do."""
    if not location.startswith("s3://"):
        return Store(location)
    from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook

    hook = AwsGenericHook(aws_conn_id=connection)
    session = hook.get_session()

    def credentials() -> Credentials:
        found = session.get_credentials()
        if found is None:
            raise LedgerError(
                f"The connection {connection} has no AWS credentials; add them, or a role to assume."
            )
        frozen = found.get_frozen_credentials()
        expiry = getattr(found, "_expiry_time", None)  # botocore keeps it there and has no public name for it
        return Credentials(
            access_key=frozen.access_key,
            secret_key=frozen.secret_key,
            token=frozen.token,
            expiry=expiry.astimezone(UTC) if expiry is not None else None,
        )

    endpoint = hook.conn_config.get_service_endpoint_url("s3")
    return Store(
        location,
        StoreAccess(region=session.region_name, endpoint_url=endpoint or None, credentials=credentials),
    )
