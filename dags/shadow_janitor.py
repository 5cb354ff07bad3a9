"""Settles rollouts whose run died: restores the endpoint, cleans up, and writes CRASHED into the ledger.

It also deletes the configs and models that former promotions left on an endpoint and nothing uses any more.

A rollout settles itself; this is for the run that was deleted, or whose settling was killed for good. Only rollouts
whose run Airflow knows to be over are touched, and, once their lease has expired, those whose run it does not know.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG, task

from include.orchestration import janitor

with DAG(
    dag_id="shadow_janitor",
    description="Settle rollouts whose run died, and delete what former promotions left",
    schedule=timedelta(minutes=5),
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - Airflow reads it in its own time zone
    catchup=False,
    max_active_runs=1,
    tags=["penumbra", "sagemaker"],
    doc_md=__doc__,
) as dag:
    task(janitor.settle_dead_rollouts)()
    task(janitor.tidy_endpoints)()
