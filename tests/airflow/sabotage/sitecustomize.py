"""Lets a test strike one task of one run: the process raises, or kills itself, before or after the task's step.

Python imports this at start in every process of the test's Airflow. A file `$SABOTAGE/<run id>.<task id>` says how:
`raise before`, `kill before`, `kill after`; it is gone once it has struck, so that a retry goes through.
"""

import contextlib
import importlib.abc
import importlib.util
import os
import signal
import sys
from pathlib import Path

TARGET = "include.orchestration.connection"


class Finder(importlib.abc.MetaPathFinder):
    """Wraps what every task goes through, as soon as it is imported."""

    def find_spec(self, name, path=None, target=None):
        if name != TARGET:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            module.performing = sabotaged(module.performing)

        spec.loader.exec_module = exec_module
        return spec


def sabotaged(performing):
    @contextlib.contextmanager
    def wrapper(context, **arguments):
        with performing(context, **arguments) as rollout:
            strike(context, "before")
            yield rollout
            strike(context, "after")

    return wrapper


def strike(context, moment):
    order = Path(os.environ["SABOTAGE"], f"{context['dag_run'].run_id}.{context['ti'].task_id}")
    if not order.is_file():
        return
    how, when = order.read_text().split()
    if when != moment:
        return
    order.unlink()
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise RuntimeError("sabotaged")


if "SABOTAGE" in os.environ:
    sys.meta_path.insert(0, Finder())
