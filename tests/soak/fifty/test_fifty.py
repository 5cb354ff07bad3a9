"""Fifty rollouts on fifty endpoints at once: a scheduler that runs four tasks at a time brings each to its right end."""

import http.client
import threading
import time
from collections import Counter
from urllib.parse import urlsplit

import pytest

from tests.airflow.rollouts import Stage

pytestmark = [pytest.mark.airflow, pytest.mark.soak, pytest.mark.timeout(7200)]

ROLLOUTS = range(50)
WORKERS = 4
PAUSE = 0.2  # seconds between two requests to the same endpoint
UNHURRIED = {
    "replay": None,
    "window": {"period": 10, "warm_up": 0, "length": 120, "maximum": 240, "lag": 3, "opening": 1800},
    "deploy_timeout": 1800,
}
FAILING = {"candidate": {"environment": {"LOCAL_ERROR_SHARE": "0.5"}}}


class Caller(threading.Thread):
    """One client that calls every endpoint in turn, until `leave`; `seen` counts what it was answered."""

    def __init__(self, url, endpoints):
        super().__init__(daemon=True)
        self.seen = Counter()
        self._place, self._endpoints = urlsplit(url).netloc, endpoints
        self._leaving = threading.Event()

    def run(self):
        connection = http.client.HTTPConnection(self._place, timeout=60)
        headers = {
            "Content-Type": "text/csv",
            "Authorization": "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/sagemaker/aws4_request",
        }
        due = time.monotonic()
        while not self._leaving.wait(max(0.0, due - time.monotonic())):
            due = max(due + PAUSE, time.monotonic() - 1)  # what a busy machine missed is not made up for
            for endpoint in self._endpoints:
                try:
                    connection.request("POST", f"/endpoints/{endpoint}/invocations", b"1,2\n", headers)
                    with connection.getresponse() as answer:
                        answer.read()
                        self.seen[answer.status] += 1
                except (OSError, http.client.HTTPException) as error:
                    self.seen[repr(error)] += 1
                    connection.close()

    def leave(self):
        self._leaving.set()
        self.join()


@pytest.fixture
def four_at_a_time(api):
    before = api.get("/pools/default_pool")["slots"]
    api.resize_pool("default_pool", WORKERS)
    yield
    api.resize_pool("default_pool", before)


@pytest.mark.usefixtures("four_at_a_time")
def test_fifty_rollouts_at_once_all_end_right(api, local_cloud, layout, sliced):
    stage = Stage(api, local_cloud, layout.home)
    names = [f"of-fifty-{number}" for number in sliced(ROLLOUTS)]
    failing = set(names[::5])
    for name in names:
        stage.endpoint(name)
    caller = Caller(local_cloud.url, names)
    caller.start()
    time.sleep(30)  # a plan without a replay reckons with the traffic that there was
    began = time.monotonic()
    runs = [stage.trigger(name, **UNHURRIED, **(FAILING if name in failing else {})) for name in names]
    for run in runs:
        run.colour = run.wait(timeout=5400)
    print(f"{len(runs)} rollouts took {time.monotonic() - began:.0f} s; callers saw {dict(caller.seen)}")
    for run in runs:
        config, shadows, model = run.serving
        if run.endpoint in failing:
            assert (run.end, run.colour) == ("ROLLED_BACK", "success"), run.record.get("outcome")
            assert (config, model, run.left) == (f"{run.endpoint}-config", f"{run.endpoint}-model", [])
        else:
            assert (run.end, run.colour) == ("PROMOTED", "success"), run.record.get("outcome")
            assert (model, run.left) == (run.record.get("candidate")["model"], sorted([config, model]))
        assert (shadows, run.holder) == (0, None)
    caller.leave()
    assert set(caller.seen) == {200}
