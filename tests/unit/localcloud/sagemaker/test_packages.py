"""The model registry: versions, approval, metadata, repeated requests, deletes."""

from typing import Any

import pytest

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.0-5"
SPECIFICATION = {
    "Containers": [{"Image": IMAGE, "ModelDataUrl": "s3://models/m.tar.gz"}],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}


@pytest.fixture
def group(plane: Any) -> Any:
    plane.call(
        "CreateModelPackageGroup", ModelPackageGroupName="churn", ModelPackageGroupDescription="leaving"
    )
    return plane


def registered(plane: Any, **more: Any) -> str:
    params = {"ModelPackageGroupName": "churn", "InferenceSpecification": SPECIFICATION} | more
    arn: str = plane.call("CreateModelPackage", **params)["ModelPackageArn"]
    return arn


def test_versions_count_up_and_never_come_again(group: Any) -> None:
    first, second = registered(group), registered(group)
    assert first.endswith(":model-package/churn/1")
    assert second.endswith(":model-package/churn/2")
    group.call("DeleteModelPackage", ModelPackageName=second)
    assert registered(group).endswith(":model-package/churn/3")


def test_a_version_waits_for_approval_unless_said(group: Any) -> None:
    described = group.call("DescribeModelPackage", ModelPackageName=registered(group))
    assert described["ModelApprovalStatus"] == "PendingManualApproval"
    assert described["ModelPackageStatus"] == "Completed"
    assert described["ModelPackageVersion"] == 1
    assert described["InferenceSpecification"] == SPECIFICATION
    approved = registered(group, ModelApprovalStatus="Approved")
    assert group.call("DescribeModelPackage", ModelPackageName=approved)["ModelApprovalStatus"] == "Approved"


def test_a_repeated_client_token_makes_one_package(group: Any, refused: Any) -> None:
    first = registered(group, ClientToken="t-1")
    assert registered(group, ClientToken="t-1") == first
    with pytest.raises(refused, match=r"ConflictException: ClientToken t-1 was used before"):
        registered(group, ClientToken="t-1", ModelPackageDescription="other")
    assert registered(group, ClientToken="t-2") != first


def test_approval_and_metadata_are_updated_and_the_rest_stays(group: Any) -> None:
    arn = registered(group, CustomerMetadataProperties={"a": "1", "b": "2"})
    group.clock.at += 60
    group.call(
        "UpdateModelPackage",
        ModelPackageArn=arn,
        ModelApprovalStatus="Rejected",
        ApprovalDescription="latency",
        CustomerMetadataProperties={"b": "3", "c": "4"},
        CustomerMetadataPropertiesToRemove=["a"],
    )
    described = group.call("DescribeModelPackage", ModelPackageName=arn)
    assert described["ModelApprovalStatus"] == "Rejected"
    assert described["ApprovalDescription"] == "latency"
    assert described["CustomerMetadataProperties"] == {"b": "3", "c": "4"}
    assert described["InferenceSpecification"] == SPECIFICATION
    assert described["LastModifiedTime"] > described["CreationTime"]


def test_lists_are_by_group_and_approval_newest_first_in_pages(group: Any) -> None:
    for number in range(5):
        group.clock.at += 1
        registered(group, ModelApprovalStatus="Approved" if number % 2 else "Rejected")
    listed = group.call("ListModelPackages", ModelPackageGroupName="churn", MaxResults=3)
    versions = [summary["ModelPackageVersion"] for summary in listed["ModelPackageSummaryList"]]
    rest = group.call(
        "ListModelPackages", ModelPackageGroupName="churn", MaxResults=3, NextToken=listed["NextToken"]
    )
    versions += [summary["ModelPackageVersion"] for summary in rest["ModelPackageSummaryList"]]
    assert versions == [5, 4, 3, 2, 1]
    assert "NextToken" not in rest
    approved = group.call("ListModelPackages", ModelPackageGroupName="churn", ModelApprovalStatus="Approved")
    assert [summary["ModelPackageVersion"] for summary in approved["ModelPackageSummaryList"]] == [4, 2]


def test_a_batch_names_what_it_did_not_find(group: Any) -> None:
    arn, gone = registered(group), "arn:aws:sagemaker:us-east-1:123456789012:model-package/churn/9"
    answer = group.call("BatchDescribeModelPackage", ModelPackageArnList=[arn, gone])
    assert answer["ModelPackageSummaries"][arn]["ModelPackageVersion"] == 1
    assert answer["BatchDescribeModelPackageErrorMap"][gone]["ErrorCode"] == "ValidationException"


def test_an_unversioned_package_has_its_name_and_no_approval(plane: Any, refused: Any) -> None:
    arn = plane.call("CreateModelPackage", ModelPackageName="solo", InferenceSpecification=SPECIFICATION)[
        "ModelPackageArn"
    ]
    assert "ModelApprovalStatus" not in plane.call("DescribeModelPackage", ModelPackageName="solo")
    with pytest.raises(refused, match=r"already exists"):
        plane.call("CreateModelPackage", ModelPackageName="solo", InferenceSpecification=SPECIFICATION)
    with pytest.raises(refused, match=r"only versions are approved"):
        plane.call("UpdateModelPackage", ModelPackageArn=arn, ModelApprovalStatus="Approved")


def test_a_group_with_packages_is_not_deleted(group: Any, refused: Any) -> None:
    arn = registered(group)
    with pytest.raises(refused, match=r"it has packages"):
        group.call("DeleteModelPackageGroup", ModelPackageGroupName="churn")
    group.call("DeleteModelPackage", ModelPackageName=arn)
    group.call("DeleteModelPackageGroup", ModelPackageGroupName="churn")
    with pytest.raises(refused, match=r"ModelPackageGroup .*churn does not exist"):
        group.call("DescribeModelPackageGroup", ModelPackageGroupName="churn")


def test_groups_are_described_and_listed(group: Any, refused: Any) -> None:
    described = group.call("DescribeModelPackageGroup", ModelPackageGroupName="churn")
    assert described["ModelPackageGroupStatus"] == "Completed"
    registered(group)
    (summary,) = group.call("ListModelPackageGroups", NameContains="URN")["ModelPackageGroupSummaryList"]
    assert summary["ModelPackageGroupArn"] == described["ModelPackageGroupArn"]
    with pytest.raises(refused, match=r"already exists"):
        group.call("CreateModelPackageGroup", ModelPackageGroupName="churn")
    with pytest.raises(refused, match=r"does not exist"):
        registered(group, ModelPackageGroupName="none")
