"""boto3: every waiter and paginator that a shadow test needs, as they come."""

import boto3
from botocore.exceptions import WaiterError

ROLE = "arn:aws:iam::123456789012:role/serving"
SOON = {"Delay": 1}


def variant(name: str, model: str) -> dict:
    return {
        "VariantName": name,
        "ModelName": model,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
        "InitialVariantWeight": 1.0,
    }


sagemaker, runtime, s3, cloudwatch = (
    boto3.client(service) for service in ("sagemaker", "sagemaker-runtime", "s3", "cloudwatch")
)
for model, image in (("old", "penumbra/light:1"), ("new", "penumbra/light:1"), ("odd", "unheard/of:1")):
    sagemaker.create_model(
        ModelName=model,
        ExecutionRoleArn=ROLE,
        PrimaryContainer={"Image": image, "Environment": {"LOCAL_ANSWER": model}},
    )
for config, production, shadow in (
    ("shadowed", "old", "new"),
    ("promoted", "new", None),
    ("broken", "odd", None),
):
    beside = {"ShadowProductionVariants": [variant("shadow", shadow)]} if shadow else {}
    sagemaker.create_endpoint_config(
        EndpointConfigName=config, ProductionVariants=[variant("production", production)], **beside
    )

in_service, deleted = (sagemaker.get_waiter(name) for name in ("endpoint_in_service", "endpoint_deleted"))
sagemaker.create_endpoint(EndpointName="churn", EndpointConfigName="shadowed")
in_service.wait(EndpointName="churn", WaiterConfig=SOON)
assert runtime.invoke_endpoint(EndpointName="churn", Body=b"1")["Body"].read() == b"old"
sagemaker.update_endpoint(EndpointName="churn", EndpointConfigName="promoted")
in_service.wait(EndpointName="churn", WaiterConfig=SOON)
assert runtime.invoke_endpoint(EndpointName="churn", Body=b"1")["Body"].read() == b"new"

# a waiter gives up at once on an endpoint that failed, and on one that does not exist
sagemaker.create_endpoint(EndpointName="broken", EndpointConfigName="broken")
for endpoint in ("broken", "none"):
    failure = ""
    try:
        in_service.wait(EndpointName=endpoint, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    except WaiterError as error:
        failure = str(error)
    assert "terminal failure state" in failure, (endpoint, failure)
for endpoint in ("churn", "broken"):
    sagemaker.delete_endpoint(EndpointName=endpoint)
    deleted.wait(EndpointName=endpoint, WaiterConfig=SOON)
pages = sagemaker.get_paginator("list_models").paginate(PaginationConfig={"PageSize": 2})
assert [len(page["Models"]) for page in pages] == [2, 1]

s3.create_bucket(Bucket="a-bucket")
s3.get_waiter("bucket_exists").wait(Bucket="a-bucket", WaiterConfig=SOON)
s3.put_object(Bucket="a-bucket", Key="k", Body=b"1")
s3.get_waiter("object_exists").wait(Bucket="a-bucket", Key="k", WaiterConfig=SOON)
s3.delete_object(Bucket="a-bucket", Key="k")
s3.get_waiter("object_not_exists").wait(Bucket="a-bucket", Key="k", WaiterConfig=SOON)
s3.delete_bucket(Bucket="a-bucket")
s3.get_waiter("bucket_not_exists").wait(Bucket="a-bucket", WaiterConfig=SOON)

cloudwatch.put_metric_alarm(
    AlarmName="errors",
    Namespace="AWS/SageMaker",
    MetricName="InvocationModelErrors",
    Statistic="Average",
    Period=60,
    EvaluationPeriods=1,
    Threshold=0.01,
    ComparisonOperator="GreaterThanThreshold",
)
cloudwatch.get_waiter("alarm_exists").wait(AlarmNames=["errors"], WaiterConfig=SOON)
print("boto3 did all of it")
