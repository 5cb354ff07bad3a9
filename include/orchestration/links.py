"""The link from a task to its rollout's page."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperatorLink

ROLLOUT_URL = "shadow_report_url"  # the XCom in which a task leaves its rollout's address


class RolloutLink(BaseOperatorLink):
    """A button on the task's details that opens the rollout in the console."""

    name = "Rollout report"

    @property
    def xcom_key(self) -> str:
        """Name the XCom that the server reads the address from."""
        return ROLLOUT_URL

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return nothing: the server takes the address from the XCom."""
        return ""
