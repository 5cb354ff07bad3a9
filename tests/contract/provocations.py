"""How each documented error of each supported operation comes about, and which of them cannot.

The documented errors of an operation are those that botocore's model lists for it and those of `BESIDE`. A
provocation is called with the scene and ends in the operation's error. `EXCUSED` is the reviewed list of the rest.
"""

from collections.abc import Callable
from typing import Any

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/penumbra/light:1"
ROLE = "arn:aws:iam::123456789012:role/serving"
INSTANCE = "ml.m5.large"
TARGET = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/serving/variant/a",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}
ELSEWHERE = TARGET | {"ResourceId": "endpoint/none/variant/a"}
SPAN = {"StartTime": 1_700_000_000, "EndTime": 1_700_000_600}
NO_ALARM = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:none"

Provocation = Callable[[Any], Any]
PROVOCATIONS: dict[tuple[str, str, str], Provocation] = {}


def _provoke(service: str, operation: str, error: str, provocation: Provocation) -> None:
    assert (service, operation, error) not in PROVOCATIONS, (service, operation, error)
    PROVOCATIONS[service, operation, error] = provocation


def _call(
    service: str, operation: str, error: str, /, *, fault: dict[str, Any] | None = None, **params: Any
) -> None:
    """Provoke the error by one call with these parameters, under a fault if one is given."""

    def provoke(scene: Any) -> None:
        if fault is not None:
            scene.fault(**fault)
        scene.call(service, operation, **params)

    _provoke(service, operation, error, provoke)


def variant(**more: Any) -> dict[str, Any]:
    base = {"VariantName": "a", "ModelName": "m", "InstanceType": INSTANCE, "InitialInstanceCount": 1}
    return base | more


def experiment(name: str, endpoint: str, **more: Any) -> dict[str, Any]:
    count = {"InstanceType": INSTANCE, "InstanceCount": 1}
    infrastructure = {"InfrastructureType": "RealTimeInference", "RealTimeInferenceConfig": count}
    return {
        "Name": name,
        "Type": "ShadowMode",
        "RoleArn": ROLE,
        "EndpointName": endpoint,
        "ModelVariants": [
            {"ModelName": "m", "VariantName": each, "InfrastructureConfig": infrastructure} for each in "ab"
        ],
        "ShadowModeConfig": {
            "SourceModelVariantName": "a",
            "ShadowModelVariants": [{"ShadowModelVariantName": "b", "SamplingPercentage": 10}],
        },
    } | more


def tracking(**more: Any) -> dict[str, Any]:
    metric = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
    return {
        "PolicyName": "p",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": 5.0,
            "PredefinedMetricSpecification": metric,
        },
    } | more


ALARM = {
    "AlarmName": "new",
    "Namespace": "N",
    "MetricName": "m",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1.0,
    "ComparisonOperator": "GreaterThanThreshold",
}
MODEL = {"ModelName": "new", "ExecutionRoleArn": ROLE, "PrimaryContainer": {"Image": IMAGE}}
CONFIG = {"EndpointConfigName": "new", "ProductionVariants": [variant()]}
ENDPOINT = {"EndpointName": "new", "EndpointConfigName": "c"}
UPDATE = {"EndpointName": "serving", "EndpointConfigName": "c"}
MORE = {
    "EndpointName": "serving",
    "DesiredWeightsAndCapacities": [{"VariantName": "a", "DesiredInstanceCount": 2}],
}
PACKAGE = {"ModelPackageGroupName": "group", "InferenceSpecification": {"Containers": [{"Image": IMAGE}]}}
GROUP = {"ModelPackageGroupName": "new"}
NO_PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/group/99"
NO_MODEL = "arn:aws:sagemaker:us-east-1:123456789012:model/none"
STOP = {"ModelVariantActions": {"b": "Remove"}}
BAD_TOKEN = {"NextToken": "?"}

# SageMaker: quotas
for _operation, _params, _kind in (
    ("CreateModel", MODEL, "model"),
    ("CreateEndpointConfig", CONFIG, "endpoint-config"),
    ("CreateEndpoint", ENDPOINT, INSTANCE),
    ("UpdateEndpoint", UPDATE, INSTANCE),
    ("UpdateEndpointWeightsAndCapacities", MORE, INSTANCE),
    ("CreateInferenceExperiment", experiment("new", "another"), "inference-experiment"),
    ("CreateModelPackage", PACKAGE, "model-package"),
    ("CreateModelPackageGroup", GROUP, "model-package-group"),
):
    _call("sagemaker", _operation, "ResourceLimitExceeded", fault={"quota": 1, "of": _kind}, **_params)

# SageMaker: experiments, `planned` waiting for its time and `over` called off
_call("sagemaker", "CreateInferenceExperiment", "ResourceInUse", **experiment("planned", "another"))
for _verb, _name, _more in (
    ("Describe", "", {}),
    ("Update", "over", {"Description": "d"}),
    ("Start", "over", {}),
    ("Stop", "over", STOP),
    ("Delete", "planned", {}),
):
    _operation = f"{_verb}InferenceExperiment"
    _call("sagemaker", _operation, "ResourceNotFound", Name="none", **_more)
    if _name:
        _call("sagemaker", _operation, "ConflictException", Name=_name, **_more)
    _call("sagemaker", _operation, "ValidationException", Name="-", **_more)

# SageMaker: the registry
_call("sagemaker", "CreateModelPackage", "ConflictException", ClientToken="token", **PACKAGE)
_call("sagemaker", "DeleteModelPackageGroup", "ConflictException", ModelPackageGroupName="group")

# SageMaker: what does not exist, exists already, or makes no sense is a ValidationException everywhere else
for _operation, _params in {
    "AddTags": {"ResourceArn": NO_MODEL, "Tags": [{"Key": "a", "Value": "b"}]},
    "DeleteTags": {"ResourceArn": NO_MODEL, "TagKeys": ["a"]},
    "ListTags": {"ResourceArn": NO_MODEL},
    "BatchDescribeModelPackage": {"ModelPackageArnList": []},
    "CreateModel": MODEL | {"ModelName": "m"},
    "CreateEndpointConfig": CONFIG | {"EndpointConfigName": "c"},
    "CreateEndpoint": ENDPOINT | {"EndpointName": "serving"},
    "CreateInferenceExperiment": experiment(
        "new", "another", Schedule={"StartTime": 1_700_000_000, "EndTime": 1_700_000_600}
    ),
    "CreateModelPackage": PACKAGE | {"ModelPackageGroupName": "none"},
    "CreateModelPackageGroup": {"ModelPackageGroupName": "group"},
    "DeleteEndpoint": {"EndpointName": "none"},
    "DeleteEndpointConfig": {"EndpointConfigName": "none"},
    "DeleteModel": {"ModelName": "none"},
    "DeleteModelPackage": {"ModelPackageName": NO_PACKAGE},
    "DeleteModelPackageGroup": {"ModelPackageGroupName": "none"},
    "DescribeEndpoint": {"EndpointName": "none"},
    "DescribeEndpointConfig": {"EndpointConfigName": "none"},
    "DescribeModel": {"ModelName": "none"},
    "DescribeModelPackage": {"ModelPackageName": NO_PACKAGE},
    "DescribeModelPackageGroup": {"ModelPackageGroupName": "none"},
    "ListEndpointConfigs": BAD_TOKEN,
    "ListEndpoints": BAD_TOKEN,
    "ListInferenceExperiments": BAD_TOKEN,
    "ListModelPackageGroups": BAD_TOKEN,
    "ListModelPackages": BAD_TOKEN,
    "ListModels": BAD_TOKEN,
    "UpdateEndpoint": UPDATE | {"EndpointConfigName": "none"},
    "UpdateEndpointWeightsAndCapacities": MORE | {"EndpointName": "none"},
    "UpdateModelPackage": {"ModelPackageArn": NO_PACKAGE, "ModelApprovalStatus": "Approved"},
}.items():
    _call("sagemaker", _operation, "ValidationException", **_params)

# The runtime
_call("sagemaker-runtime", "InvokeEndpoint", "ValidationError", EndpointName="none", Body=b"1")
_call(
    "sagemaker-runtime",
    "InvokeEndpoint",
    "ModelError",
    fault={"errors": 1.0, "endpoint": "serving"},
    EndpointName="serving",
    Body=b"1",
)
_provoke(
    "sagemaker-runtime", "InvokeEndpoint", "ServiceUnavailable", lambda scene: scene.invoke_a_crashed_one()
)

# CloudWatch
DATUM = {"MetricName": "m", "Value": 1.0}
STATISTICS = {"Namespace": "N", "MetricName": "m", "Period": 60, "Statistics": ["Sum"], **SPAN}
QUERY = {"Id": "a", "Expression": "1"}
for _operation, _error, _params in (
    ("DeleteAlarms", "ResourceNotFound", {"AlarmNames": ["none"]}),
    ("DescribeAlarmHistory", "InvalidNextToken", BAD_TOKEN),
    ("DescribeAlarms", "InvalidNextToken", BAD_TOKEN),
    ("GetMetricData", "InvalidNextToken", {"MetricDataQueries": [QUERY], **SPAN, **BAD_TOKEN}),
    ("GetMetricData", "ValidationError", {"MetricDataQueries": [QUERY, QUERY], **SPAN}),
    ("GetMetricStatistics", "InvalidParameterValueException", STATISTICS | {"Period": 7}),
    ("GetMetricStatistics", "MissingRequiredParameterException", STATISTICS | {"Statistics": None}),
    ("GetMetricStatistics", "InvalidParameterCombinationException", STATISTICS | {"EndTime": 1}),
    ("ListMetrics", "InvalidParameterValueException", BAD_TOKEN),
    ("PutMetricAlarm", "ValidationError", ALARM | {"EvaluationPeriods": 0}),
    ("PutMetricData", "InvalidParameterValueException", {"Namespace": "AWS/Mine", "MetricData": [DATUM]}),
    (
        "PutMetricData",
        "MissingRequiredParameterException",
        {"Namespace": "N", "MetricData": [{"MetricName": "m"}]},
    ),
    (
        "PutMetricData",
        "InvalidParameterCombinationException",
        {"Namespace": "N", "MetricData": [DATUM | {"Values": [1.0]}]},
    ),
    ("SetAlarmState", "ResourceNotFound", {"AlarmName": "none", "StateValue": "OK", "StateReason": "r"}),
    (
        "SetAlarmState",
        "InvalidFormatFault",
        {"AlarmName": "alarm", "StateValue": "OK", "StateReason": "r", "StateReasonData": "{"},
    ),
):
    _call(
        "cloudwatch",
        _operation,
        _error,
        **{name: value for name, value in _params.items() if value is not None},
    )
_call("cloudwatch", "PutMetricAlarm", "LimitExceededFault", fault={"quota": 1, "of": "alarm"}, **ALARM)
for _operation, _params in {
    "ListTagsForResource": {},
    "TagResource": {"Tags": [{"Key": "a", "Value": "b"}]},
    "UntagResource": {"TagKeys": ["a"]},
}.items():
    _call("cloudwatch", _operation, "InvalidParameterValueException", ResourceARN="alarm", **_params)
    _call("cloudwatch", _operation, "ResourceNotFoundException", ResourceARN=NO_ALARM, **_params)

# Application Auto Scaling
_scaling = "application-autoscaling"
for _operation in ("DescribeScalableTargets", "DescribeScalingActivities", "DescribeScalingPolicies"):
    _call(_scaling, _operation, "ValidationException", ServiceNamespace="sagemaker", MaxResults=0)
    _call(_scaling, _operation, "InvalidNextTokenException", ServiceNamespace="sagemaker", NextToken="?")
for _operation, _params in {
    "DeleteScalingPolicy": {"PolicyName": "p"},
    "DeregisterScalableTarget": {},
}.items():
    _call(_scaling, _operation, "ValidationException", **TARGET | {"ResourceId": "serving"}, **_params)
    _call(_scaling, _operation, "ObjectNotFoundException", **ELSEWHERE, **_params)
_call(_scaling, "PutScalingPolicy", "ValidationException", **tracking(PolicyType="StepScaling"), **TARGET)
_call(_scaling, "PutScalingPolicy", "ObjectNotFoundException", **tracking(), **ELSEWHERE)
_call(
    _scaling,
    "PutScalingPolicy",
    "LimitExceededException",
    fault={"quota": 0, "of": "scaling-policy"},
    **tracking(),
    **TARGET,
)
_call(_scaling, "RegisterScalableTarget", "ValidationException", MinCapacity=1, MaxCapacity=2, **ELSEWHERE)
_provoke(
    _scaling, "RegisterScalableTarget", "LimitExceededException", lambda scene: scene.register_one_too_many()
)

# S3
BUCKET, KEY = {"Bucket": "there"}, {"Bucket": "there", "Key": "key"}
NO_BUCKET, NO_KEY = {"Bucket": "not-there"}, {"Bucket": "there", "Key": "none"}
UPLOAD = {"UploadId": "none"}
PARTS = {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": "e"}]}}
for _operation, _error, _params in (
    ("AbortMultipartUpload", "NoSuchUpload", KEY | UPLOAD),
    ("CompleteMultipartUpload", "NoSuchUpload", KEY | UPLOAD | PARTS),
    ("UploadPart", "NoSuchUpload", KEY | UPLOAD | {"PartNumber": 1}),
    ("UploadPartCopy", "NoSuchUpload", KEY | UPLOAD | {"PartNumber": 1, "CopySource": "there/key"}),
    ("ListParts", "NoSuchUpload", KEY | UPLOAD),
    ("CopyObject", "NoSuchKey", KEY | {"CopySource": "there/none"}),
    ("CreateBucket", "BucketAlreadyOwnedByYou", BUCKET),
    ("CreateBucket", "InvalidBucketName", {"Bucket": "No"}),
    ("CreateMultipartUpload", "NoSuchBucket", NO_BUCKET | {"Key": "key"}),
    ("DeleteBucket", "BucketNotEmpty", BUCKET),
    ("DeleteBucket", "NoSuchBucket", NO_BUCKET),
    ("DeleteObject", "NoSuchBucket", NO_BUCKET | {"Key": "key"}),
    ("DeleteObjects", "NoSuchBucket", NO_BUCKET | {"Delete": {"Objects": [{"Key": "key"}]}}),
    ("DeleteObjects", "MalformedXML", BUCKET | {"Delete": {"Objects": []}}),
    ("GetBucketLocation", "NoSuchBucket", NO_BUCKET),
    ("GetBucketVersioning", "NoSuchBucket", NO_BUCKET),
    ("GetObject", "NoSuchKey", NO_KEY),
    ("GetObject", "NoSuchBucket", NO_BUCKET | {"Key": "key"}),
    ("GetObject", "InvalidRange", KEY | {"Range": "bytes=99-"}),
    ("GetObject", "PreconditionFailed", KEY | {"IfMatch": "other"}),
    ("HeadBucket", "NoSuchBucket", NO_BUCKET),
    ("HeadObject", "NoSuchKey", NO_KEY),
    ("ListMultipartUploads", "NoSuchBucket", NO_BUCKET),
    ("ListObjects", "NoSuchBucket", NO_BUCKET),
    ("ListObjectsV2", "NoSuchBucket", NO_BUCKET),
    ("ListObjectsV2", "InvalidArgument", BUCKET | {"ContinuationToken": "?"}),
    ("PutObject", "NoSuchBucket", NO_BUCKET | {"Key": "key", "Body": b""}),
    ("PutObject", "PreconditionFailed", KEY | {"Body": b"", "IfNoneMatch": "*"}),
    ("PutObject", "BadDigest", KEY | {"Body": b"1", "ChecksumSHA256": "a" * 43 + "="}),
):
    _call("s3", _operation, _error, **_params)
_provoke("s3", "CompleteMultipartUpload", "InvalidPart", lambda scene: scene.complete([1], "none"))
_provoke("s3", "CompleteMultipartUpload", "InvalidPartOrder", lambda scene: scene.complete([2, 1]))
_provoke("s3", "CompleteMultipartUpload", "EntityTooSmall", lambda scene: scene.complete([1, 2]))

# What references name beside the models: (service, operation) -> the errors that have a provocation above.
# ValidationException is SageMaker's answer to whatever cannot be, which its model lists for no operation; S3's model
# leaves out most of the API reference's "List of error codes"; ValidationError is CloudWatch's of broken constraints.
BESIDE = {
    "sagemaker": {"ValidationException"},
    "cloudwatch": {"ValidationError"},
    "s3": {
        "NoSuchUpload", "NoSuchKey", "NoSuchBucket", "InvalidBucketName", "BucketNotEmpty", "MalformedXML",
        "InvalidRange", "PreconditionFailed", "InvalidArgument", "BadDigest", "InvalidPart", "InvalidPartOrder",
        "EntityTooSmall",
    },
}  # fmt: skip
BESIDE_EVERYWHERE = {"sagemaker": {"ValidationException"}}  # on each of the service's operations
STATUSES = {"NoSuchUpload": 404, "NoSuchKey": 404, "NoSuchBucket": 404, "BucketNotEmpty": 409, "InvalidRange": 416,
            "PreconditionFailed": 412, "SlowDown": 503}  # of errors that have none in the operation's model  # fmt: skip

_ARN = "arn:aws:sagemaker:eu-west-1:123456789012:"
# (service, operation, error) -> how its message begins, where clients match on it or public reports have it
TEXTS = {
    (
        "sagemaker",
        "CreateModel",
        "ValidationException",
    ): f'Cannot create already existing model "{_ARN}model/m"',
    ("sagemaker", "CreateEndpointConfig", "ValidationException"): (
        f'Cannot create already existing endpoint configuration "{_ARN}endpoint-config/c"'
    ),
    ("sagemaker", "CreateEndpoint", "ValidationException"): (
        f'Cannot create already existing endpoint "{_ARN}endpoint/serving"'
    ),
    (
        "sagemaker",
        "DescribeEndpoint",
        "ValidationException",
    ): f'Could not find endpoint "{_ARN}endpoint/none"',
    ("sagemaker", "DeleteEndpoint", "ValidationException"): f'Could not find endpoint "{_ARN}endpoint/none"',
    ("sagemaker", "DescribeModel", "ValidationException"): f'Could not find model "{_ARN}model/none"',
    ("sagemaker", "DescribeEndpointConfig", "ValidationException"): (
        f'Could not find endpoint configuration "{_ARN}endpoint-config/none"'
    ),
    ("sagemaker", "CreateEndpoint", "ResourceLimitExceeded"): (
        f"The account-level service limit '{INSTANCE} for endpoint usage' is 1 Instances, with current utilization of "
        "1 Instances and a request delta of 1 Instances. Please use AWS Service Quotas to request an increase"
    ),
    (
        "sagemaker-runtime",
        "InvokeEndpoint",
        "ValidationError",
    ): "Endpoint none of account 123456789012 not found.",
    (
        "sagemaker-runtime",
        "InvokeEndpoint",
        "ModelError",
    ): "Received server error (500) from primary with message ",
}

THROTTLES = {"s3": "SlowDown", "cloudwatch": "Throttling"}  # what the other services call ThrottlingException

_NO_CONFLICT = "calls are answered one after another, each in one step: no two of them ever meet"
_OWN_FAILURE = "only a defect of the local cloud answers it"
_NO_ARCHIVE = "every object is in the standard storage class, at hand at once"
_NO_APPENDING = "appending to objects is for directory buckets, of which there are none"
# (service, operation, or "*" for all of the service's; error) -> why it cannot happen. Each can be injected.
EXCUSED = {
    ("sagemaker", "DeleteModelPackage", "ConflictException"): _NO_CONFLICT,
    ("sagemaker", "UpdateModelPackage", "ConflictException"): _NO_CONFLICT,
    ("sagemaker-runtime", "*", "InternalFailure"): _OWN_FAILURE,
    ("sagemaker-runtime", "*", "InternalDependencyException"): "nothing that an invocation depends on is elsewhere",
    ("sagemaker-runtime", "*", "ModelNotReadyException"): "it is of serverless and multi-model endpoints, which are refused",
    ("cloudwatch", "*", "InternalServiceFault"): _OWN_FAILURE,
    ("cloudwatch", "*", "ConcurrentModificationException"): _NO_CONFLICT,
    ("cloudwatch", "*", "ConflictException"): "tagging creates no resource",
    ("cloudwatch", "DeleteAlarms", "ResourceConflict"): "no alarm has a scheduled query behind it",
    ("application-autoscaling", "*", "InternalServiceException"): _OWN_FAILURE,
    ("application-autoscaling", "*", "ConcurrentUpdateException"): _NO_CONFLICT,
    ("application-autoscaling", "*", "FailedResourceAccessException"): "no permissions are checked, so alarms are always at hand",
    ("s3", "CreateBucket", "BucketAlreadyExists"): "there is one account, which owns every bucket",
    ("s3", "CopyObject", "ObjectNotInActiveTierError"): _NO_ARCHIVE,
    ("s3", "GetObject", "InvalidObjectState"): _NO_ARCHIVE,
    ("s3", "PutObject", "InvalidRequest"): _NO_APPENDING,
    ("s3", "PutObject", "InvalidWriteOffset"): _NO_APPENDING,
    ("s3", "PutObject", "TooManyParts"): _NO_APPENDING,
    ("s3", "PutObject", "EncryptionTypeMismatch"): _NO_APPENDING,
}  # fmt: skip
