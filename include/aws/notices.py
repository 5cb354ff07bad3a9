"""Notices to people, over SNS."""

from __future__ import annotations

from include.aws.clients import Clients
from include.aws.faults import calling

_LONGEST_SUBJECT = 100  # characters, SNS's limit; all of them printable ASCII


def publish(clients: Clients, topic: str, subject: str, message: str) -> None:
    """Publish a notice to a topic, in the region that its ARN names. Raises CloudError."""
    with calling(f"Publishing to {topic}"):
        clients.sns(topic.split(":")[3]).publish(
            TopicArn=topic, Subject=subject[:_LONGEST_SUBJECT], Message=message
        )
