"""Registers the console and the link to it with Airflow; nothing else."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from include.console.mount import console
from include.orchestration.links import RolloutLink

# Relative to Airflow's own base, so that they hold behind a proxy with a path of its own.
_PAGES = [
    {
        "name": "Shadow",
        "href": "shadow/",
        "destination": "nav",
        "url_route": "shadow",
        "nav_top_level": True,
        "icon": "shadow/static/icon.svg",
        "icon_dark_mode": "shadow/static/icon-dark.svg",
    },
    {
        "name": "Rollout",
        "href": "shadow/dags/{DAG_ID}/runs/{RUN_ID}",
        "destination": "dag_run",
        "url_route": "rollout",
    },
]


class ShadowRolloutsPlugin(AirflowPlugin):
    """The console under /shadow: in the navigation, as a tab of each DAG run, and behind the tasks' link."""

    name = "shadow_rollouts"
    fastapi_apps = [{"app": console, "url_prefix": "/shadow", "name": "shadow_rollouts"}]  # noqa: RUF012
    external_views = _PAGES
    operator_extra_links = [RolloutLink()]  # noqa: RUF012
