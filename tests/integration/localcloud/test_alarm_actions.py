"""An alarm that changes its state tells an SNS topic, and whoever subscribed to the topic has the message."""

import json
from typing import Any


def test_a_queue_that_subscribed_to_the_topic_receives_the_alarm(program: Any, wait_until: Any) -> None:
    sns, sqs = program.client("sns", region="eu-west-1"), program.client("sqs", region="eu-west-1")
    cloudwatch = program.client("cloudwatch", region="eu-west-1")
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    queue = sqs.create_queue(QueueName="alarms")["QueueUrl"]
    asked = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=asked["Attributes"]["QueueArn"])
    gone = topic.replace("alarms", "gone")
    cloudwatch.put_metric_alarm(
        AlarmName="slow",
        Namespace="N",
        MetricName="m",
        ExtendedStatistic="p99",
        Period=60,
        EvaluationPeriods=1,
        Threshold=5.0,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[gone, topic],
        OKActions=[topic],
    )
    for state in ("ALARM", "OK"):
        cloudwatch.set_alarm_state(AlarmName="slow", StateValue=state, StateReason=f"a test of {state}")
    received: list[dict[str, Any]] = []

    def arrived() -> bool:
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            received.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return len(received) >= 2

    assert wait_until(arrived, 60)
    told = {each["Subject"]: json.loads(each["Message"]) for each in received}
    assert set(told) == {'ALARM: "slow" in EU (Ireland)', 'OK: "slow" in EU (Ireland)'}
    alarm = told['ALARM: "slow" in EU (Ireland)']
    assert (alarm["OldStateValue"], alarm["NewStateReason"]) == ("INSUFFICIENT_DATA", "a test of ALARM")
    assert alarm["Trigger"]["ExtendedStatistic"] == "p99"
    assert {each["TopicArn"] for each in received} == {topic}

    def noted() -> list[str]:
        found = cloudwatch.describe_alarm_history(AlarmName="slow", HistoryItemType="Action")
        return sorted(item["HistorySummary"] for item in found["AlarmHistoryItems"])

    assert wait_until(lambda: len(noted()) == 3, 60)
    summaries = noted()
    assert summaries[0].startswith(f"Failed to execute action {gone}. Received error: NotFound")
    assert summaries[1:] == [f"Successfully executed action {topic}"] * 2
