"""People are told that they are asked and how it ended; that they cannot be told stops nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from include.ledger.objects import notice_key
from include.rollout.verdict import End
from include.steps.decide import decide
from include.steps.judge import settle_verdict
from include.steps.notify import tell_question
from include.steps.settle import settle
from tests.integration.rollouts.conftest import REGION, Drive, promote_now, session

Make = Callable[..., Drive]
NOWHERE = f"arn:aws:sns:{REGION}:123456789012:nobody-made-this"


@pytest.fixture
def topic(cloud_url: str) -> str:
    return str(session().client("sns", endpoint_url=cloud_url).create_topic(Name="rollouts")["TopicArn"])


@pytest.fixture
def heard(cloud_url: str, topic: str) -> Callable[[], list[tuple[str, str]]]:
    """Subscribe a queue to the topic; give what has come since, subject and message."""
    sqs = session().client("sqs", endpoint_url=cloud_url)
    url = sqs.create_queue(QueueName="people")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    session().client("sns", endpoint_url=cloud_url).subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def come() -> list[tuple[str, str]]:
        found: list[Any] = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        bodies = [json.loads(message["Body"]) for message in found]
        return [(body["Subject"], body["Message"]) for body in bodies]

    return come


def test_people_hear_that_they_are_asked_and_how_it_ended_once_each(
    drive: Make, topic: str, heard: Callable[[], list[tuple[str, str]]]
) -> None:
    run = drive(notify={"topic": topic}, promotion={"override": True, "approval": True})
    run.begin()
    promote_now(run)
    run.watch()
    settle_verdict(run.rollout)
    decide(run.rollout)
    name, page = run.rollout.baseline.endpoint, f"http://here/shadow/rollouts/{run.rollout.id}"
    for _ in range(2):  # a task that is run again
        tell_question(run.rollout)
    ((subject, message),) = heard()
    assert subject == f"Promote the candidate on {name}?"
    assert "INCONCLUSIVE" in message
    assert "within 24 hours" in message
    assert message.endswith(page)
    for _ in range(2):
        end = run.step(settle)
    ((subject, message),) = heard()
    assert subject == f"{end.value}: candidate on {name}"
    assert run.rollout.ledger.require("outcome")["reason"] in message
    assert run.rollout.ledger.require(notice_key("end"))["failed"] is None


def test_a_topic_that_takes_nothing_is_noted_and_stops_nothing(drive: Make) -> None:
    run = drive(notify={"topic": NOWHERE}, promotion={"override": True})
    run.begin()
    promote_now(run)
    run.watch()
    assert run.finish() is End.PROMOTED
    assert "Publishing to" in run.rollout.ledger.require(notice_key("end"))["failed"]
