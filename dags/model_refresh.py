"""Recurring: looks for a new model package or artefact and starts a rollout for it. Graph and policy only.

One DAG for each spec under include/specs that has `refresh.schedule`. The newest candidate that no rollout of the
endpoint tried starts a run of `shadow_rollout`, whose run id derives from the candidate: it can start once only,
whatever retries. `again` starts one more for the newest candidate, on purpose.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, Param, task

from include.orchestration.refresh import Refresh, StartRolloutOperator, find_candidate, scheduled


def refreshing(refresh: Refresh) -> DAG:
    """Return the DAG that looks for this spec's next candidate."""
    with DAG(
        dag_id=f"model_refresh__{refresh.name}",
        description=f"Start a rollout of {refresh.name} for each new model package or artefact",
        schedule=refresh.schedule,
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=True,
        tags=["penumbra", "sagemaker", "refresh"],
        doc_md=__doc__,
        params={
            "again": Param(
                False,
                type="boolean",
                title="Try again",
                description="Start a rollout for the newest candidate even if it was tried before",
            )
        },
    ) as dag:
        found = task.short_circuit(find_candidate, retries=2, retry_delay=timedelta(seconds=30))(refresh.spec)
        found >> StartRolloutOperator(task_id="start_rollout", found="find_candidate")
    return dag


DAGS = [refreshing(refresh) for refresh in scheduled(Path(__file__).parent.parent / "include" / "specs")]
