"""The services behind the front answer, and what they lack is an error that clients do not retry."""

from typing import Any

import pytest
from botocore.exceptions import ClientError


def test_identity_and_roles_are_there(program: Any) -> None:
    assert program.client("sts").get_caller_identity()["Account"] == "123456789012"
    iam = program.client("iam")
    iam.create_role(RoleName="serving", AssumeRolePolicyDocument="{}")
    assert iam.get_role(RoleName="serving")["Role"]["Arn"] == "arn:aws:iam::123456789012:role/serving"


@pytest.mark.parametrize(
    ("service", "call", "named"),
    [
        ("application-autoscaling", "describe_scheduled_actions", "DescribeScheduledActions"),
        ("sagemaker", "list_training_jobs", "ListTrainingJobs"),
        ("iam", "list_delegation_requests", "ListDelegationRequests"),
    ],
)
def test_what_is_not_there_is_named_and_not_retried(
    program: Any, service: str, call: str, named: str
) -> None:
    params = {"ServiceNamespace": "sagemaker"} if service == "application-autoscaling" else {}
    with pytest.raises(ClientError) as caught:
        getattr(program.client(service), call)(**params)
    answer = caught.value.response
    assert answer["Error"]["Code"] == "UnsupportedOperation"
    assert named in answer["Error"]["Message"]
    assert answer["ResponseMetadata"]["RetryAttempts"] == 0
