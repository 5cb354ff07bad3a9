"""Every supported operation that has pages: boto3's paginators see everything once, however small the pages are."""

import functools
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from docs.tables import operations
from tests.contract import provocations

SUPPORTED = operations()
SPAN = {"StartTime": time.time() - 3600, "EndTime": time.time() + 3600}
SEVERAL = range(4)


def paged() -> Iterator[tuple[str, str]]:
    for service, names in SUPPORTED.items():
        client = boto3.client(
            service, region_name="us-east-1", aws_access_key_id="local", aws_secret_access_key="local"
        )
        methods = {operation: method for method, operation in client.meta.method_to_api_mapping.items()}
        yield from ((service, name) for name in names if client.can_paginate(methods[name]))


PAGED = sorted(paged())
PARAMETERS: dict[str, dict[str, Any]] = {  # what the operation cannot do without
    "DescribeScalableTargets": {"ServiceNamespace": "sagemaker"},
    "DescribeScalingActivities": {"ServiceNamespace": "sagemaker"},
    "DescribeScalingPolicies": {"ServiceNamespace": "sagemaker"},
    "ListMetrics": {"Namespace": "N"},
    "ListModelPackages": {"ModelPackageGroupName": "n0"},
    "ListMultipartUploads": {"Bucket": "pages"},
    "ListObjects": {"Bucket": "pages"},
    "ListObjectsV2": {"Bucket": "pages"},
}
TOKEN = {"ListObjects": "Marker", "ListBuckets": "ContinuationToken", "ListObjectsV2": "ContinuationToken"}
BAD = {  # what a token that no page gave is answered with; a marker may be anything
    "sagemaker": "ValidationException",
    "cloudwatch": "InvalidNextToken",
    "application-autoscaling": "InvalidNextTokenException",
    "s3": "InvalidArgument",
}
MARKED = {"ListObjects", "ListParts", "ListMultipartUploads"}


class Library:
    """Several of everything that can be listed."""

    def __init__(self, contract: Any) -> None:
        self.contract = contract
        sagemaker, cloudwatch = contract.client("sagemaker"), contract.client("cloudwatch")
        scaling, s3 = contract.client("application-autoscaling"), contract.client("s3")
        sagemaker.create_model(**provocations.MODEL | {"ModelName": "m"})
        for number in SEVERAL:
            name = f"n{number}"
            sagemaker.create_model(**provocations.MODEL | {"ModelName": name})
            sagemaker.create_endpoint_config(**provocations.CONFIG | {"EndpointConfigName": name})
            sagemaker.create_model_package_group(ModelPackageGroupName=name)
            sagemaker.create_model_package(**provocations.PACKAGE | {"ModelPackageGroupName": "n0"})
            alarm = provocations.ALARM | {"AlarmName": name}
            cloudwatch.put_metric_alarm(**alarm)
            s3.create_bucket(Bucket=f"pages-{number}")
        variants = [provocations.variant(VariantName=f"v{number}") for number in SEVERAL]
        sagemaker.create_endpoint_config(EndpointConfigName="several", ProductionVariants=variants)
        for name in ("first", "second"):
            sagemaker.create_endpoint(
                EndpointName=name, EndpointConfigName="several" if name == "first" else "n0"
            )
            schedule = {"StartTime": time.time() + 86400, "EndTime": time.time() + 2 * 86400}
            asked = provocations.experiment(name, f"{name}-tried", Schedule=schedule)
            sagemaker.create_inference_experiment(**asked)
        cloudwatch.put_metric_data(
            Namespace="N", MetricData=[{"MetricName": f"m{number}", "Value": 1.0} for number in range(600)]
        )
        sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="first", WaiterConfig={"Delay": 1})
        for number in SEVERAL:
            target = provocations.TARGET | {"ResourceId": f"endpoint/first/variant/v{number}"}
            scaling.register_scalable_target(MinCapacity=1, MaxCapacity=2, **target)
            scaling.put_scaling_policy(**provocations.tracking(), **target)
        self._act(sagemaker, scaling)
        s3.create_bucket(Bucket="pages")
        for number in SEVERAL:
            s3.put_object(Bucket="pages", Key=f"a/{number}", Body=b"")
            upload = s3.create_multipart_upload(Bucket="pages", Key=f"u/{number // 2}")["UploadId"]
            s3.upload_part(
                Bucket="pages", Key="u/1" if number > 1 else "u/0", UploadId=upload, PartNumber=1, Body=b""
            )
        for number in SEVERAL:
            s3.upload_part(Bucket="pages", Key="u/1", UploadId=upload, PartNumber=number + 2, Body=b"")
        self.parameters = PARAMETERS | {
            "ListParts": {"Bucket": "pages", "Key": "u/1", "UploadId": upload},
            "ListTags": {"ResourceArn": sagemaker.describe_endpoint(EndpointName="first")["EndpointArn"]},
            "GetMetricData": {"MetricDataQueries": self._queries(), **SPAN},
        }
        sagemaker.add_tags(
            ResourceArn=self.parameters["ListTags"]["ResourceArn"],
            Tags=[{"Key": f"k{number}", "Value": "v"} for number in range(50)],
        )

    @staticmethod
    def _wait(holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def _act(self, sagemaker: Any, scaling: Any) -> None:
        """Return when a variant was scaled out and in, and nothing changes any more."""

        def at_rest(activities: int) -> bool:
            found = scaling.describe_scaling_activities(ServiceNamespace="sagemaker")["ScalingActivities"]
            endpoints = sagemaker.list_endpoints()["Endpoints"]
            experiments = sagemaker.list_inference_experiments()["InferenceExperiments"]
            return (
                [each["StatusCode"] for each in found] == ["Successful"] * activities
                and {each["EndpointStatus"] for each in endpoints} == {"InService"}
                and {each["Status"] for each in experiments} == {"Created"}
            )

        target = provocations.TARGET | {"ResourceId": "endpoint/first/variant/v0"}
        for activities, count in ((1, 2), (2, 1)):
            scaling.register_scalable_target(MinCapacity=count, MaxCapacity=count, **target)
            self._wait(functools.partial(at_rest, activities))

    @staticmethod
    def _queries() -> list[dict[str, Any]]:
        return [
            {
                "Id": f"q{number}",
                "MetricStat": {
                    "Metric": {"Namespace": "N", "MetricName": f"m{number}"},
                    "Period": 60,
                    "Stat": "Sum",
                },
            }
            for number in SEVERAL
        ]

    def paginator(self, service: str, operation: str) -> Any:
        client = self.contract.client(service)
        methods = {name: method for method, name in client.meta.method_to_api_mapping.items()}
        return client.get_paginator(methods[operation])


@pytest.fixture(scope="module")
def library(contract: Any) -> Library:
    return Library(contract)


def found(pages: Any, paginator: Any) -> tuple[int, list[Any]]:
    """Return how many pages there were, and all that they hold."""
    count, items = 0, []
    for page in pages:
        count += 1
        for expression in paginator.result_keys:
            items += expression.search(page) or []
    if "MetricDataResults" in {expression.expression for expression in paginator.result_keys}:
        # a page has so many datapoints, not so many results: a result goes on in the next one
        items = [
            (each["Id"], at, value)
            for each in items
            for at, value in zip(each["Timestamps"], each["Values"], strict=True)
        ]
    return count, items


@pytest.mark.parametrize(("service", "operation"), PAGED, ids=[operation for _, operation in PAGED])
def test_the_smallest_pages_hold_what_one_page_holds(library: Library, service: str, operation: str) -> None:
    paginator = library.paginator(service, operation)
    params = library.parameters.get(operation, {})
    limit = paginator._pagination_cfg.get("limit_key")
    least = 50 if operation == "ListTags" else 1
    settings = {"PageSize": least} if limit else {}
    count, small = found(paginator.paginate(**params, PaginationConfig=settings), paginator)
    _, whole = found(paginator.paginate(**params), paginator)
    assert small == whole
    assert len(whole) > 1
    expected = {"ListTags": 1, "ListMetrics": -(-len(whole) // 500)}.get(operation, len(whole))
    assert count == expected


@pytest.mark.parametrize(
    ("service", "operation"),
    [each for each in PAGED if each[1] not in MARKED],
    ids=[operation for _, operation in PAGED if operation not in MARKED],
)
def test_a_token_that_no_page_gave_is_refused(library: Library, service: str, operation: str) -> None:
    client = library.contract.client(service)
    methods = {name: method for method, name in client.meta.method_to_api_mapping.items()}
    params = library.parameters.get(operation, {})
    tokens = ("?",) if service == "s3" else ("?", "-1", "LTU=", "ZmFsc2U=", "a" * 40)  # S3's may name any key
    for token in tokens:
        with pytest.raises(ClientError) as caught:
            getattr(client, methods[operation])(**params, **{TOKEN.get(operation, "NextToken"): token})
        wanted = "InvalidParameterValue" if operation == "ListMetrics" else BAD[service]
        assert caught.value.response["Error"]["Code"] == wanted, (token, caught.value.response)
