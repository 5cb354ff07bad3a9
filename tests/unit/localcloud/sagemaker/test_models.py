"""Models: what is asked comes back, what cannot run is refused at creation."""

from typing import Any

import pytest

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.0-5"
ROLE = "arn:aws:iam::123456789012:role/serving"


def test_a_model_is_described_as_it_was_asked_for(plane: Any) -> None:
    plane.model("Churn-1", Environment={"A": "b"})
    described = plane.call("DescribeModel", ModelName="Churn-1")
    assert described["PrimaryContainer"] == {
        "Image": IMAGE,
        "ModelDataUrl": "s3://models/Churn-1.tar.gz",
        "Environment": {"A": "b"},
    }
    assert described["ModelArn"] == "arn:aws:sagemaker:us-east-1:123456789012:model/churn-1"
    assert described["ExecutionRoleArn"] == ROLE
    assert described["EnableNetworkIsolation"] is False


def test_a_second_model_of_the_same_name_is_refused_in_the_words_clients_match(
    plane: Any, refused: Any
) -> None:
    plane.model("m")
    with pytest.raises(
        refused, match=r'ValidationException: Cannot create already existing model "arn:.*model/m"'
    ):
        plane.model("m")


def test_a_model_whose_data_is_not_in_s3_is_refused(plane: Any, refused: Any) -> None:
    container = {"Image": IMAGE, "ModelDataUrl": "s3://nowhere/m.tar.gz"}
    with pytest.raises(refused, match=r"Could not find model data at s3://nowhere/m.tar.gz\."):
        plane.call("CreateModel", ModelName="m", PrimaryContainer=container)


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({}, "Neither PrimaryContainer nor Containers"),
        ({"PrimaryContainer": {"Image": IMAGE}, "Containers": [{"Image": IMAGE}]}, "Both PrimaryContainer"),
        ({"PrimaryContainer": {}}, "needs an Image or a ModelPackageName"),
        (
            {"PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": "https://b.s3.amazonaws.com/k"}},
            "use an s3:// URL",
        ),
    ],
)
def test_containers_that_cannot_run_are_refused(plane: Any, refused: Any, params: Any, reason: str) -> None:
    with pytest.raises(refused, match=reason):
        plane.call("CreateModel", ModelName="m", **params)


def test_an_s3_object_source_is_the_same_as_a_url(plane: Any) -> None:
    source = {"S3Uri": "s3://models/m.tar.gz", "S3DataType": "S3Object", "CompressionType": "Gzip"}
    plane.model("m")
    container = {"Image": IMAGE, "ModelDataSource": {"S3DataSource": source}}
    plane.call("CreateModel", ModelName="n", PrimaryContainer=container)
    assert plane.call("DescribeModel", ModelName="n")["PrimaryContainer"] == container


def test_a_model_from_a_package_runs_the_package_with_its_own_environment_on_top(
    plane: Any, variant: Any
) -> None:
    plane.model("m")
    plane.call("CreateModelPackageGroup", ModelPackageGroupName="g")
    packaged = {"Image": IMAGE, "ModelDataUrl": "s3://models/m.tar.gz", "Environment": {"A": "1", "B": "2"}}
    arn = plane.call(
        "CreateModelPackage",
        ModelPackageGroupName="g",
        InferenceSpecification={
            "Containers": [packaged],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
    container = {"ModelPackageName": arn, "Environment": {"B": "3"}}
    plane.call("CreateModel", ModelName="n", PrimaryContainer=container)
    assert plane.call("DescribeModel", ModelName="n")["PrimaryContainer"] == container
    plane.config("c", variant(model="n"))
    plane.call("CreateEndpoint", EndpointName="e", EndpointConfigName="c")
    plane.settle()
    (planned,) = plane.runtime.serving["e"].variants
    assert planned.image == IMAGE
    assert planned.environment == {"A": "1", "B": "3"}
    assert planned.model_data.read_bytes() == b"m"


def test_a_model_from_a_missing_package_is_refused(plane: Any, refused: Any) -> None:
    arn = "arn:aws:sagemaker:us-east-1:123456789012:model-package/g/9"
    with pytest.raises(refused, match=f"ModelPackage {arn} does not exist"):
        plane.call("CreateModel", ModelName="m", PrimaryContainer={"ModelPackageName": arn})


def test_a_deleted_model_is_not_found(plane: Any, refused: Any) -> None:
    plane.model("m")
    plane.call("DeleteModel", ModelName="m")
    for operation in ("DescribeModel", "DeleteModel"):
        with pytest.raises(refused, match=r'ValidationException: Could not find model "arn:.*:model/m"'):
            plane.call(operation, ModelName="m")
