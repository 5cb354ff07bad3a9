"""The rollout: graph and policy only.

Deploys a candidate as a shadow next to production on the same SageMaker endpoint, watches both for a window,
judges them, and promotes the candidate or puts the endpoint back exactly as it was. `settle` runs whatever
happens and gives the run its colour: green only if a decision was carried out.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, task

from include.orchestration import form, tasks
from include.orchestration.links import RolloutLink
from include.orchestration.operators import (
    ApproveOperator,
    DeployShadowOperator,
    MonitorOperator,
    OpenOperator,
    PromoteOperator,
    RollBackOperator,
    SettleOperator,
    WatchOperator,
)

with DAG(
    dag_id="shadow_rollout",
    description="Shadow a candidate on a SageMaker endpoint, judge it, promote it or roll back",
    schedule=None,
    catchup=False,
    max_active_runs=64,
    tags=["penumbra", "sagemaker"],
    doc_md=__doc__,
    params=form.params(),
    # Where slots are few, the way back goes first and new traffic last.
    default_args={"weight_rule": "absolute", "priority_weight": 10},
) as dag:
    opened = OpenOperator(task_id="open").as_setup()
    registered = task(tasks.register)()
    deployed = DeployShadowOperator(task_id="deploy_shadow")
    replayed = task(
        tasks.replay, pool="replay", priority_weight=1, map_index_template="shard {{ shard }}"
    ).expand(shard=opened.output)
    monitored = MonitorOperator(task_id="monitor_window", priority_weight=20)
    evaluated = task(tasks.evaluate_gates, trigger_rule="none_failed")()
    decided = task.branch(tasks.decide)()
    decided.operator.operator_extra_links = (RolloutLink(),)  # which @task takes no argument for
    approved = ApproveOperator(task_id="approve")
    promoted = PromoteOperator(
        task_id="promote", priority_weight=50, trigger_rule="none_failed_min_one_success"
    )
    watched = WatchOperator(task_id="watch", priority_weight=50)
    rolled_back = RollBackOperator(
        task_id="rollback", priority_weight=50, trigger_rule="none_failed_min_one_success"
    )
    # Settling is the one thing that must happen, so it alone is retried: after a kill it goes on where it stopped.
    settled = SettleOperator(
        task_id="settle", priority_weight=100, retries=3, retry_delay=timedelta(seconds=5)
    ).as_teardown(setups=opened, on_failure_fail_dagrun=True)

    (
        opened
        >> registered
        >> deployed
        >> [replayed, monitored]
        >> evaluated
        >> decided
        >> [approved, promoted, rolled_back]
    )
    approved >> [promoted, rolled_back]
    promoted >> watched
    [watched, rolled_back] >> settled
