"""A person's word on a running rollout: promote now, remove now, extend its window, or edit its managed test.

Recorded in the rollout's ledger with who asked and why; the monitoring task acts on it at its next look. A promotion
ends the window early, so it overrides an INCONCLUSIVE verdict and needs `promotion.override` in the spec; what a gate
contradicts is never promoted. An edit changes what share a managed test copies, or when it would end by itself.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, task

from include.orchestration import tasks

with DAG(
    dag_id="conclude_rollout",
    description="Promote now, remove now, extend, or edit a running rollout",
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
            enum=["promote", "remove", "extend", "edit"],
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
        "sampling": Param(
            None,
            type=["null", "number"],
            minimum=0.01,
            maximum=1,
            title="Sampling",
            description="Edit: share of the requests that a managed test copies from now on, in whole per cents",
        ),
        "end": Param(
            None,
            type=["null", "string"],
            title="End",
            description="Edit: when a managed test is to end by itself, 1 hour to 30 days after its start",
            examples=["2026-03-01T12:00:00Z"],
        ),
    },
) as dag:
    task(tasks.conclude)()
