"""Tags stay with their resource, whatever it is, and go with it."""

from typing import Any

import pytest

TAGS = [{"Key": "team", "Value": "churn"}, {"Key": "stage", "Value": "prod"}]


def test_tags_of_every_kind_of_resource_are_kept(plane: Any, variant: Any) -> None:
    plane.model("m")
    plane.call("CreateEndpointConfig", EndpointConfigName="c", ProductionVariants=[variant()], Tags=TAGS)
    arn = plane.call("CreateEndpoint", EndpointName="e", EndpointConfigName="c", Tags=TAGS)["EndpointArn"]
    assert plane.call("ListTags", ResourceArn=arn)["Tags"] == TAGS
    config = plane.call("DescribeEndpointConfig", EndpointConfigName="c")
    assert "Tags" not in config
    assert plane.call("ListTags", ResourceArn=config["EndpointConfigArn"])["Tags"] == TAGS


def test_tags_are_added_replaced_and_deleted(plane: Any) -> None:
    arn = plane.call("CreateModelPackageGroup", ModelPackageGroupName="g", Tags=TAGS)["ModelPackageGroupArn"]
    answer = plane.call("AddTags", ResourceArn=arn, Tags=[{"Key": "stage", "Value": "test"}])
    assert answer["Tags"] == [TAGS[0], {"Key": "stage", "Value": "test"}]
    plane.call("DeleteTags", ResourceArn=arn, TagKeys=["team", "absent"])
    assert plane.call("ListTags", ResourceArn=arn)["Tags"] == [{"Key": "stage", "Value": "test"}]


def test_tags_go_with_their_resource(plane: Any, refused: Any) -> None:
    arn = plane.call("CreateModelPackageGroup", ModelPackageGroupName="g", Tags=TAGS)["ModelPackageGroupArn"]
    plane.call("DeleteModelPackageGroup", ModelPackageGroupName="g")
    with pytest.raises(refused, match=r"Could not find resource"):
        plane.call("ListTags", ResourceArn=arn)
    plane.call("CreateModelPackageGroup", ModelPackageGroupName="g")
    assert plane.call("ListTags", ResourceArn=arn)["Tags"] == []


def test_more_than_fifty_tags_are_refused(plane: Any, refused: Any) -> None:
    tags = [{"Key": f"k{number}", "Value": ""} for number in range(50)]
    arn = plane.call("CreateModelPackageGroup", ModelPackageGroupName="g", Tags=tags)["ModelPackageGroupArn"]
    with pytest.raises(refused, match=r"at most 50 tags"):
        plane.call("AddTags", ResourceArn=arn, Tags=[{"Key": "one more", "Value": ""}])
