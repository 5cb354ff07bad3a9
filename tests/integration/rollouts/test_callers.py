"""What callers see while a rollout comes and goes: every request is answered, and by production."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.config import Config

from include.aws.clients import Clients
from include.rollout.verdict import End
from include.steps.settle import settle
from tests.integration.rollouts.conftest import Drive, document, make_endpoint, session

Make = Callable[..., Drive]
PRODUCTION, CANDIDATE = "0.111111", "0.222222"


@dataclass
class Callers:
    """What a few callers without retries were answered, in order, and what went wrong."""

    answers: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@contextmanager
def calling(url: str, endpoint: str, threads: int = 3) -> Iterator[Callers]:
    """Call the endpoint without a pause until the block ends."""
    callers, done = Callers(), threading.Event()

    def call() -> None:
        client = session().client(
            "sagemaker-runtime", endpoint_url=url, config=Config(retries={"total_max_attempts": 1})
        )
        while not done.wait(0.01):
            try:
                answer = client.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body=b"1,2,3")
                callers.answers.append(answer["Body"].read().decode().strip())
            except Exception as error:
                callers.failures.append(str(error))

    running = [threading.Thread(target=call, daemon=True) for _ in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield callers
    finally:
        done.set()
        for thread in running:
            thread.join(timeout=30)


def test_promoting_loses_no_request_and_the_shadows_answers_stay_unseen(
    clients: Clients, cloud_url: str, drive: Make, source: str
) -> None:
    name = make_endpoint(clients, environment={"LOCAL_ANSWER": PRODUCTION})
    run = drive(document(name, source, candidate={"environment": {"LOCAL_ANSWER": CANDIDATE}}))
    with calling(cloud_url, name) as callers:
        run.begin()
        run.watch()
        before = len(callers.answers)
        assert run.finish() is End.PROMOTED
    assert callers.failures == []
    assert before > 200
    assert set(callers.answers[:before]) == {PRODUCTION}
    assert set(callers.answers) == {PRODUCTION, CANDIDATE}
    first = callers.answers.index(CANDIDATE)
    assert set(callers.answers[first + 20 :]) == {CANDIDATE}


@pytest.mark.parametrize(
    "shadow",
    [
        {"LOCAL_ANSWER": CANDIDATE},
        {"LOCAL_ANSWER": CANDIDATE, "LOCAL_SERVICE_TIME_MEDIAN_MS": "3000"},
        {"LOCAL_ANSWER": CANDIDATE, "LOCAL_ERROR_SHARE": "1"},
    ],
    ids=["wrong", "slow", "failing"],
)
def test_deploying_and_restoring_lose_no_request_whatever_the_shadow_does(
    clients: Clients, cloud_url: str, drive: Make, source: str, shadow: dict[str, Any]
) -> None:
    name = make_endpoint(clients, environment={"LOCAL_ANSWER": PRODUCTION})
    run = drive(document(name, source, candidate={"environment": shadow}))
    with calling(cloud_url, name) as callers:
        run.begin()
        deployed = len(callers.answers)
        while len(callers.answers) < deployed + 200:
            threading.Event().wait(0.05)
        assert run.step(settle) is End.CRASHED
    assert callers.failures == []
    assert set(callers.answers) == {PRODUCTION}
