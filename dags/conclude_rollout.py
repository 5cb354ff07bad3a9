"""A person's word on a running rollout: promote now, remove now, or extend its window.

Recorded in the rollout's ledger with who asked and why; the monitoring task acts on it at its next look. A promotion
ends the window early, so it overrides an INCONCLUSIVE verdict and needs `promotion.override` in the spec; what a gate
contradicts is never promoted.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, task

from include.orchestration import tasks

with DAG(
    dag_id="conclude_rollout",
    description="Promote now, remove now, or extend a running rollout",
    schedule=None,
    catchup=False,
    tags=["penumbra", "sagemaker"],
    doc_md=__doc__,
    params={
        "rollout": Param(
            type="string",
            minLength=1,
            title="Rollout",
            description="Its id, or the run id of its shadow_rollout run",
            examples=["q5m2xkzwc3ta"],
        ),
        "action": Param(
            "remove",
            type="string",
            enum=["promote", "remove", "extend"],
            title="Action",
            description="What to do about it",
        ),
        "why": Param(type="string", minLength=3, title="Why", description="Kept with the decision"),
        "seconds": Param(
            0,
            type="integer",
            minimum=0,
            title="Seconds",
            description="By how much to extend; a multiple of the period",
        ),
    },
) as dag:
    task(tasks.conclude)()
