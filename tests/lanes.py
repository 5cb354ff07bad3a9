"""The lanes of `pytest -n`: files run side by side, but all that needs the one real Airflow stays in one lane.

Most tests wait, for Airflow or for a timed window, so that a machine with two cores has room for three lanes. A file is
never divided: what its module fixtures start, they start once. Lanes take up files in the order of collection: Airflow,
the longest lane, begins at once, and hundreds of quick unit tests at the end fill what the long files leave.
"""

import pytest
from xdist.scheduler import LoadScopeScheduling

AIRFLOWS = ("tests/airflow/", "tests/browser/")
# Starts demonstrations of its own, in run folders of their own, and asks nothing of the session's Airflow.
BESIDE = "tests/airflow/test_interruption.py"


class Lanes(LoadScopeScheduling):
    """Hands out whole files, the folders of the session's Airflow as if they were one."""

    def __init__(self, config: pytest.Config, log=None) -> None:
        config.option.loadscopereorder = False  # by number of tests, the long files would come last
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "airflow" if file.startswith(AIRFLOWS) and file != BESIDE else file
