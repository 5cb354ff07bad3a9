"""A DAG that shows whether the local Airflow works: one task that talks and, if asked, waits on its first try."""

import os
import time

from airflow.sdk import dag, get_current_context, task


@dag(dag_id="probe", schedule=None)
def probe():
    @task
    def talk() -> int:
        context = get_current_context()
        print("a line from the task")
        if context["ti"].try_number == 1:
            time.sleep(float(context["dag_run"].conf.get("seconds", 0)))
        return os.getpid()

    talk()


probe()
